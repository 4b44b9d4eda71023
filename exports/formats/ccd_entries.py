"""Entries of a CCD: one record each, by the templates of C-CDA R2.1 (June 2019 with errata)."""

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from exports.formats import cda
from exports.formats.about import Resource
from exports.formats.cda import ACT_CLASS, ACT_CODE, LOINC, RXNORM, SNOMED, add, concept, stamp, template
from exports.formats.cells import dated, medicine_name
from exports.formats.measures import Measure, measures, when
from exports.formats.parts import PAST, Part, says_none
from exports.formats.records import Records
from fhirproxy.reading import codes, first, objects, text

T = "2.16.840.1.113883.10.20.22.4"
# FHIR status → ValueSet Medication Status. What is not here says nothing that a clinic could rely on.
MEDICATION_STATUS = {
    "active": "active",
    "completed": "completed",
    "stopped": "aborted",
    "cancelled": "aborted",
    "on-hold": "suspended",
}
RESULT_STATUS = {"registered": "active", "preliminary": "active", "cancelled": "cancelled"}
INTERPRETATIONS = frozenset(
    {"A", "AA", "H", "HH", "L", "LL", "N", "POS", "NEG", "IND", "DET", "ND", "R", "S", "I"}
)
SMOKING = "72166-2"


class Entries:
    """Writes entries into sections. `anchor` is the id of the row in the section's text."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.zone = records.about.time_zone

    def write(self, section: Element, part: Part, resource: Resource, anchor: str) -> bool:
        """One record; False where its template has no room for what the record says."""
        writer = WRITERS.get(part)
        return bool(writer and writer(self, section, resource, anchor))

    def _id(self, resource: Resource, suffix: str = "") -> str:
        return cda.id_of("/".join(self.records.key(resource)) + suffix)

    def _time(self, value: str) -> str:
        return cda.time(value, self.zone)

    def _head(self, entry: Element, oid: str, extension: str, id: str) -> None:
        template(entry, f"{T}.{oid}", extension)
        add(entry, "id", root=id)

    def _span(self, parent: Element, start: str, end: str = "", *, over: bool = False) -> None:
        span = add(parent, "effectiveTime")
        stamp(span, "low", start)
        if over:
            stamp(span, "high", end)

    def _concern(self, section: Element, resource: Resource, oid: str, status: str) -> Element:
        """A concern act, which holds what the concern is (4.3, 4.30); gives back the entryRelationship."""
        act = add(add(section, "entry", typeCode="DRIV"), "act", classCode="ACT", moodCode="EVN")
        self._head(act, oid, "2015-08-01", self._id(resource, "/act"))
        add(act, "code", code="CONC", codeSystem=ACT_CLASS, displayName="Concern")
        is_over = status in PAST
        add(act, "statusCode", code="completed" if is_over else "active")
        noted = text(resource, "recordedDate") or dated(resource)
        self._span(act, self._time(noted), self._time(text(resource, "abatementDateTime")), over=is_over)
        return add(act, "entryRelationship", typeCode="SUBJ")

    def allergy(self, section: Element, resource: Resource, anchor: str) -> bool:
        none = says_none(resource)
        status = next(iter(codes(first(resource, "clinicalStatus"))), "active")
        held = self._concern(section, resource, "30", status)
        made = add(held, "observation", classCode="OBS", moodCode="EVN", negationInd="true" if none else "")
        self._head(made, "7", "2014-06-09", self._id(resource))
        add(made, "code", code="ASSERTION", codeSystem=ACT_CODE)
        self._reference(made, anchor)
        add(made, "statusCode", code="completed")
        self._span(made, self._time(dated(resource)), over=status in PAST)
        kind = {"code": "419199007", "codeSystem": SNOMED, "displayName": "Allergy to substance"}
        add(made, "value", xsi_type="CD", **kind)
        role = add(add(made, "participant", typeCode="CSM"), "participantRole", classCode="MANU")
        entity = add(role, "playingEntity", classCode="MMAT")
        if none:
            add(entity, "code", nullFlavor="NA")
        else:
            concept(entity, "code", first(resource, "code"), prefer=RXNORM)
        manifestations = [m for r in objects(resource, "reaction") for m in objects(r, "manifestation")]
        for index, found in enumerate(manifestations):
            self._reaction(made, resource, found, index)
        return True

    def _reaction(self, allergy: Element, resource: Resource, found: Any, index: int) -> None:
        held = add(allergy, "entryRelationship", typeCode="MFST", inversionInd="true")
        made = add(held, "observation", classCode="OBS", moodCode="EVN")
        self._head(made, "9", "2014-06-09", self._id(resource, f"/reaction/{index}"))
        add(made, "code", code="ASSERTION", codeSystem=ACT_CODE)
        add(made, "statusCode", code="completed")
        concept(made, "value", found, prefer=SNOMED, xsi_type="CD")

    def problem(self, section: Element, resource: Resource, anchor: str) -> bool:
        none = says_none(resource)
        status = next(iter(codes(first(resource, "clinicalStatus"))), "active")
        held = self._concern(section, resource, "3", status)
        made = add(held, "observation", classCode="OBS", moodCode="EVN", negationInd="true" if none else "")
        self._head(made, "4", "2015-08-01", self._id(resource))
        code = add(made, "code", code="55607006", codeSystem=SNOMED, displayName="Problem")
        add(code, "translation", code="75326-9", codeSystem=LOINC, displayName="Problem")
        self._reference(made, anchor)
        add(made, "statusCode", code="completed")
        end = self._time(text(resource, "abatementDateTime"))
        self._span(made, self._time(text(resource, "onsetDateTime")), end, over=bool(end) or status in PAST)
        if none:
            add(made, "value", code="55607006", codeSystem=SNOMED, displayName="Problem", xsi_type="CD")
        else:
            concept(made, "value", first(resource, "code"), prefer=SNOMED, xsi_type="CD")
        return True

    def medicine(self, section: Element, resource: Resource, anchor: str) -> bool:
        status = MEDICATION_STATUS.get(text(resource, "status"))
        if not status or says_none(resource):
            return False
        mood = "INT" if resource["resourceType"] == "MedicationRequest" else "EVN"
        entry = add(section, "entry", typeCode="DRIV")
        made = add(entry, "substanceAdministration", classCode="SBADM", moodCode=mood)
        self._head(made, "16", "2014-06-09", self._id(resource))
        self._reference(made, anchor)
        add(made, "statusCode", code=status)
        span = add(made, "effectiveTime", xsi_type="IVL_TS")
        stamp(span, "low", self._time(dated(resource)))
        self._dose(made, resource)
        product = add(add(made, "consumable"), "manufacturedProduct", classCode="MANU")
        self._head(product, "23", "2014-06-09", self._id(resource, "/product"))
        material = add(product, "manufacturedMaterial")
        referred = self.records.find(resource, first(resource, "medicationReference")) or {}
        said = first(resource, "medicationCodeableConcept") or first(referred, "code")
        concept(material, "code", said or {"text": medicine_name(self.records, resource)}, prefer=RXNORM)
        return True

    def _dose(self, made: Element, resource: Resource) -> None:
        dosages = objects(resource, "dosageInstruction") or objects(resource, "dosage")
        quantity = first(dosages, "doseAndRate", "doseQuantity")
        amount = next(iter(measures({"valueQuantity": quantity}))) if quantity else None
        if amount and amount.number is not None:
            add(
                made,
                "doseQuantity",
                value=f"{amount.number:f}",
                unit=amount.ucum if amount.ucum != "1" else "",
            )
        else:
            add(made, "doseQuantity", nullFlavor="UNK")

    def result(self, section: Element, resource: Resource, anchor: str) -> bool:
        entry = add(section, "entry", typeCode="DRIV")
        organizer = add(entry, "organizer", classCode="BATTERY", moodCode="EVN")
        self._head(organizer, "1", "2015-08-01", self._id(resource, "/organizer"))
        concept(organizer, "code", first(resource, "code"), prefer=LOINC)
        add(organizer, "statusCode", code=RESULT_STATUS.get(text(resource, "status"), "completed"))
        self._span(organizer, self._time(when(resource)), self._time(when(resource)), over=True)
        for index, measure in enumerate(measures(resource)):
            made = self._measured(organizer, resource, measure, index, "2", "2015-08-01", anchor)
            self._value(made, measure)
            self._marks(made, measure)
            if measure.range:
                limits = add(add(made, "referenceRange"), "observationRange")
                add(limits, "value", measure.range, xsi_type="ST")
        return True

    def vital_sign(self, section: Element, resource: Resource, anchor: str) -> bool:
        """A cluster of what was measured: numbers in UCUM only (CONF:1098-7305), the rest is in the text."""
        found = [m for m in measures(resource) if m.number is not None and m.ucum and not m.comparator]
        if not found:
            return False
        entry = add(section, "entry", typeCode="DRIV")
        organizer = add(entry, "organizer", classCode="CLUSTER", moodCode="EVN")
        self._head(organizer, "26", "2015-08-01", self._id(resource, "/organizer"))
        code = add(organizer, "code", code="46680005", codeSystem=SNOMED, displayName="Vital signs")
        add(code, "translation", code="74728-7", codeSystem=LOINC, displayName="Vital signs panel")
        add(organizer, "statusCode", code="completed")
        self._span(organizer, self._time(when(resource)), self._time(when(resource)), over=True)
        for index, measure in enumerate(found):
            made = self._measured(organizer, resource, measure, index, "27", "2014-06-09", anchor)
            self._value(made, measure)
            self._marks(made, measure)
        return True

    def social(self, section: Element, resource: Resource, anchor: str) -> bool:
        """The smoking status, which every system looks for; the rest of life and habits is in the text."""
        value = first(resource, "valueCodeableConcept")
        at = self._time(when(resource))
        is_snomed = bool(codes(value, "http://snomed.info/sct"))
        if SMOKING not in codes(first(resource, "code")) or not at or not is_snomed:
            return False
        made = add(add(section, "entry", typeCode="DRIV"), "observation", classCode="OBS", moodCode="EVN")
        self._head(made, "78", "2014-06-09", self._id(resource))
        add(made, "code", code=SMOKING, codeSystem=LOINC, displayName="Tobacco smoking status NHIS")
        self._reference(made, anchor)
        add(made, "statusCode", code="completed")
        add(made, "effectiveTime", value=at)
        concept(made, "value", value, prefer=SNOMED, xsi_type="CD")
        return True

    def _measured(
        self,
        held: Element,
        resource: Resource,
        measure: Measure,
        index: int,
        oid: str,
        extension: str,
        anchor: str,
    ) -> Element:
        made = add(add(held, "component"), "observation", classCode="OBS", moodCode="EVN")
        self._head(made, oid, extension, self._id(resource, f"/{index}"))
        concept(made, "code", measure.concept, prefer=LOINC)
        self._reference(made, anchor)
        status = RESULT_STATUS.get(text(resource, "status"), "completed")
        add(made, "statusCode", code="completed" if oid == "27" else status)
        stamp(made, "effectiveTime", self._time(when(resource)))
        return made

    def _value(self, made: Element, measure: Measure) -> None:
        if measure.number is not None and measure.ucum and not measure.comparator:
            add(made, "value", xsi_type="PQ", value=f"{measure.number:f}", unit=measure.ucum)
        elif measure.said:
            add(made, "value", measure.said, xsi_type="ST")
        else:
            add(made, "value", xsi_type="ST", nullFlavor="NI")

    def _marks(self, made: Element, measure: Measure) -> None:
        for mark in measure.mark.split():
            if mark in INTERPRETATIONS:
                add(made, "interpretationCode", code=mark, codeSystem="2.16.840.1.113883.5.83")

    def _reference(self, made: Element, anchor: str) -> None:
        add(add(made, "text"), "reference", value=f"#{anchor}")


WRITERS: Mapping[Part, Callable[[Entries, Element, Resource, str], bool]] = {
    Part.ALLERGIES: Entries.allergy,
    Part.MEDICINES: Entries.medicine,
    Part.PROBLEMS: Entries.problem,
    Part.RESULTS: Entries.result,
    Part.VITAL_SIGNS: Entries.vital_sign,
    Part.SOCIAL_HISTORY: Entries.social,
}
