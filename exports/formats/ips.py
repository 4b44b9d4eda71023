"""International Patient Summary 2.0.0: a FHIR R4 document Bundle (hl7.org/fhir/uv/ips).

Composition-uv-ips: medications, allergies and problems always stand in it (ips-comp-1: with entries or with a
reason why there are none), the other sections where there are records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import pgettext

from exports.formats import narrative
from exports.formats.about import About, Resource, Why
from exports.formats.bundling import ENCODER, Bundle, Entry, reference
from exports.formats.held import HOLDS, Format, Held
from exports.formats.parts import Part, State, Table, tables
from exports.formats.records import Records, confidentiality, name_of
from fhirproxy.reading import LOINC, objects

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition"
EMPTY = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


@dataclass(frozen=True, slots=True)
class Section:
    """A slice of Composition.section: its LOINC code with LOINC's name."""

    code: str
    display: str
    parts: tuple[Part, ...]
    is_required: bool = False


SECTIONS = (
    Section("48765-2", "Allergies and adverse reactions Document", (Part.ALLERGIES,), is_required=True),
    Section("10160-0", "History of Medication use Narrative", (Part.MEDICINES,), is_required=True),
    Section("11450-4", "Problem list - Reported", (Part.PROBLEMS,), is_required=True),
    Section("11348-0", "History of Past illness note", (Part.PAST_PROBLEMS,)),
    Section("11369-6", "History of Immunization note", (Part.VACCINES,)),
    Section("30954-2", "Relevant diagnostic tests/laboratory data note", (Part.RESULTS, Part.REPORTS)),
    Section("8716-3", "Vital signs note", (Part.VITAL_SIGNS,)),
    Section("47519-4", "History of Procedures Document", (Part.PROCEDURES,)),
    Section("46264-8", "History of medical device use", (Part.DEVICES,)),
    Section("18776-5", "Plan of care note", (Part.PLANS,)),
    Section("29762-2", "Social history note", (Part.SOCIAL_HISTORY,)),
    Section("10162-6", "History of pregnancies Narrative", (Part.PREGNANCY,)),
)
# Profiles of the IPS ask for a time; where a source has none the Bundle says so (data-absent-reason).
TIMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Procedure": (
        "_performedDateTime",
        ("performedDateTime", "performedPeriod", "performedString", "performedAge", "performedRange"),
    ),
    "Observation": (
        "_effectiveDateTime",
        ("effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant"),
    ),
    "MedicationStatement": ("_effectiveDateTime", ("effectiveDateTime", "effectivePeriod")),
    "DiagnosticReport": ("_effectiveDateTime", ("effectiveDateTime", "effectivePeriod")),
}
UNKNOWN = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def file(resources: Iterable[Resource], about: About) -> bytes:
    """The Bundle as JSON. The same records give the same ids and the same bytes, in any order."""
    records = Records(resources, about)
    with about.spoken():
        return ENCODER.encode(_document(records))


def _document(records: Records) -> dict[str, Any]:
    about = records.about
    bundle = Bundle(records, _patient(about.patient))
    custodian = bundle.add_own("Organization", "custodian", {"name": about.custodian})
    author = bundle.add_own(
        "Device",
        "author",
        {
            "deviceName": [{"name": "Chartkey", "type": "user-friendly-name"}],
            "type": {"text": "Software that gathers records and changes nothing in them"},
            "owner": reference(custodian),
        },
    )
    sections = [section for one in SECTIONS if (section := _section(bundle, one))]
    entries = bundle.entries()
    time = about.made_at.isoformat(timespec="seconds")
    composition = bundle.add_own(
        "Composition",
        "composition",
        {
            "meta": {"profile": [f"{IPS}/Composition-uv-ips"], **_security(entries)},
            "language": about.language,
            "status": "final",
            "type": _loinc("60591-5", "Patient summary Document"),
            "subject": reference(bundle.patient),
            "date": time,
            "author": [reference(author)],
            "title": pgettext("ips.title", "International Patient Summary"),
            "confidentiality": confidentiality(entry.resource for entry in entries),
            "attester": [{"mode": "official", "time": time, "party": reference(custodian)}],
            "custodian": reference(custodian),
            "event": [{"code": [_act("PCPR", "care provision")], "period": {"end": time}}],
            "section": sections,
        },
    )
    sources = [_source(bundle, entries, index) for index in range(len(about.sources))]
    whole = [composition, *entries, *(entry for entry in sources if entry)]
    return {
        "resourceType": "Bundle",
        "id": bundle.id_of_all(whole),
        "meta": {"profile": [f"{IPS}/Bundle-uv-ips"], **_security(entries)},
        "language": about.language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{bundle.id_of_all(whole)}"},
        "type": "document",
        "timestamp": time,
        "entry": [{"fullUrl": entry.url, "resource": entry.resource} for entry in whole],
    }


def _section(bundle: Bundle, section: Section) -> dict[str, Any] | None:
    """A section with its text; None for one that is not required and has nothing to say."""
    filled = list(tables(bundle.records, section.parts))
    if not section.is_required and all(table.state == State.NOT_RECORDED for table in filled):
        return None
    made: dict[str, Any] = {
        "title": filled[0].heading,
        "code": _loinc(section.code, section.display),
        "text": {"status": "generated", "div": narrative.xhtml(filled, bundle.records.about.language)},
    }
    entries = [_entry(bundle, one) for table in filled for one in table.resources]
    if found := [reference(entry) for entry in entries if entry]:
        made["entry"] = found
    else:
        made["emptyReason"] = _empty(filled)
    return made


def _empty(filled: list[Table]) -> dict[str, Any]:
    """Why a section has no entries. "nilknown" is for sources to say, and they say it by a record."""
    why = {reason for table in filled for reason in table.why}
    withheld = bool(why - {Why.MISSING})
    code, display = ("withheld", "Information Withheld") if withheld else ("unavailable", "Unavailable")
    return {
        "coding": [{"system": EMPTY, "code": code, "display": display}],
        "text": next(filter(None, (table.notice for table in filled)), ""),
    }


def _entry(bundle: Bundle, resource: Resource) -> Entry | None:
    kind = resource["resourceType"]
    if HOLDS[Format.IPS][kind] != Held.WHOLE:  # Composition-uv-ips has no entry of it: it is in the text
        return None
    name, times = TIMES.get(kind, ("", ()))
    changed = dict(resource)
    if name and not any(time in resource for time in (*times, name)):
        changed[name] = UNKNOWN
    entry = bundle.add(resource, changed)
    return _device_use(bundle, entry, resource) if kind == "Device" else entry


def _device_use(bundle: Bundle, device: Entry, resource: Resource) -> Entry:
    """The section of devices refers to statements of use (DeviceUseStatement-uv-ips)."""
    status = "active" if resource.get("status", "active") == "active" else "completed"
    return bundle.add_own(
        "DeviceUseStatement",
        device.id,
        {
            "status": status,
            "subject": reference(bundle.patient),
            "_timingDateTime": UNKNOWN,
            "device": reference(device),
        },
    )


def _source(bundle: Bundle, entries: list[Entry], index: int) -> Entry | None:
    """Provenance: what of this came from one source, and as of when."""
    source = bundle.records.about.sources[index]
    of_it = [entry for entry in entries if entry.source == source.uri]
    if not of_it:
        return None
    return bundle.add_own(
        "Provenance",
        f"source-{source.uri}",
        {
            "target": [reference(entry) for entry in of_it],
            "recorded": source.as_of.isoformat(timespec="seconds"),
            "agent": [
                {"type": {"coding": [_coding(AGENT, "author", "Author")]}, "who": {"display": source.name}}
            ],
            "entity": [{"role": "source", "what": {"identifier": {"value": source.uri}}}],
        },
    )


AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def _patient(patient: Resource) -> dict[str, Any]:
    """Patient-uv-ips: a name (ips-pat-1) and a birth date, or why there is none."""
    made = dict(patient)
    if not name_of(patient):
        made["name"] = [{"text": pgettext("summary.unnamed", "No name was written")}]
    if "birthDate" not in made:
        made["_birthDate"] = UNKNOWN
    return made


def _labels(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    found = {
        (str(label.get("system", "")), str(label.get("code", ""))): label
        for entry in entries
        for label in objects(entry.resource, "meta", "security")
    }
    return [found[key] for key in sorted(found)]


def _security(entries: list[Entry]) -> dict[str, Any]:
    """The labels of all that is inside: a document is as sensitive as its parts."""
    labels = _labels(entries)
    return {"security": labels} if labels else {}


def _loinc(code: str, display: str) -> dict[str, Any]:
    return {"coding": [_coding(LOINC, code, display)]}


def _act(code: str, display: str) -> dict[str, Any]:
    return {"coding": [_coding("http://terminology.hl7.org/CodeSystem/v3-ActClass", code, display)]}


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
