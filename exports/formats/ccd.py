"""C-CDA R2.1 Continuity of Care Document, for clinics whose systems take CDA.

US Realm Header (V3) and CCD (V3), both of 2015-08-01: allergies, medications, problems, results, social
history and vital signs always stand in it, with nullFlavor "NI" where nothing is recorded. Other parts are
text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils.translation import pgettext

from exports.formats import cda
from exports.formats.about import About, Resource
from exports.formats.ccd_entries import Entries
from exports.formats.cda import LOINC, add, stamp, template
from exports.formats.cells import age, dated
from exports.formats.parts import Part, State, Table, tables
from exports.formats.records import Records, confidentiality
from fhirproxy.reading import first, objects, text

T = "2.16.840.1.113883.10.20.22"
GENDERS = {"male": ("M", "Male"), "female": ("F", "Female"), "other": ("UN", "Undifferentiated")}
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
RACE = "2.16.840.1.113883.6.238"


@dataclass(frozen=True, slots=True)
class Section:
    part: Part
    template: str
    extension: str
    code: str
    display: str
    is_required: bool = False


SECTIONS = (
    Section(Part.ALLERGIES, "2.6.1", "2015-08-01", "48765-2", "Allergies and adverse reactions", True),
    Section(Part.MEDICINES, "2.1.1", "2014-06-09", "10160-0", "History of medication use", True),
    Section(Part.PROBLEMS, "2.5.1", "2015-08-01", "11450-4", "Problem list", True),
    Section(
        Part.RESULTS,
        "2.3.1",
        "2015-08-01",
        "30954-2",
        "Relevant diagnostic tests and/or laboratory data",
        True,
    ),
    Section(Part.SOCIAL_HISTORY, "2.17", "2015-08-01", "29762-2", "Social history", True),
    Section(Part.VITAL_SIGNS, "2.4.1", "2015-08-01", "8716-3", "Vital signs", True),
    Section(Part.VACCINES, "2.2", "2015-08-01", "11369-6", "History of immunizations"),
    Section(Part.PROCEDURES, "2.7", "2014-06-09", "47519-4", "History of procedures"),
    Section(Part.PAST_PROBLEMS, "2.20", "2015-08-01", "11348-0", "History of past illness"),
    Section(Part.DEVICES, "2.23", "2014-06-09", "46264-8", "History of medical device use"),
    Section(Part.PLANS, "2.10", "2014-06-09", "18776-5", "Plan of treatment"),
    Section(Part.FAMILY_HISTORY, "2.15", "2015-08-01", "10157-6", "Family history"),
    Section(Part.VISITS, "2.22", "2015-08-01", "46240-8", "History of encounters"),
    Section(Part.COVERAGE, "2.18", "2015-08-01", "48768-6", "Payer"),
)


def file(resources: Iterable[Resource], about: About) -> bytes:
    """The document as XML 1.0 in UTF-8."""
    records = Records(resources, about)
    with about.spoken():
        document = cda.root("ClinicalDocument")
        _header(document, records)
        body = add(add(document, "component"), "structuredBody")
        entries = Entries(records)
        filled = {table.part: table for table in tables(records, tuple(s.part for s in SECTIONS))}
        for section in SECTIONS:
            _section(body, section, filled[section.part], entries)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(document, encoding="utf-8")


def _section(body: Element, section: Section, table: Table, entries: Entries) -> None:
    if table.state == State.NOT_RECORDED and not section.is_required:
        return
    made = add(add(body, "component"), "section")
    template(made, f"{T}.{section.template}", section.extension)
    add(made, "code", code=section.code, codeSystem=LOINC, displayName=section.display)
    add(made, "title", table.heading)
    anchors = _text(add(made, "text"), table)
    written = [entries.write(made, table.part, one, anchors[id(one)]) for one in table.resources]
    if (section.is_required and section.part != Part.SOCIAL_HISTORY and not any(written)) or not table.rows:
        made.set("nullFlavor", "NI")


def _text(made: Element, table: Table) -> dict[int, str]:
    """The section in words; gives back the id of the first row of each record."""
    anchors: dict[int, str] = {}
    if table.notice or not table.rows:
        add(made, "paragraph", table.notice)
    if not table.rows:
        return anchors
    whole = add(made, "table")
    head = add(add(whole, "thead"), "tr")
    for column in table.columns:
        add(head, "th", column)
    body = add(whole, "tbody")
    for number, row in enumerate(table.rows, 1):
        anchor = f"{table.part}-{number}"
        anchors.setdefault(id(row.resource), anchor)
        line = add(body, "tr", ID=anchor)
        for cell in row.cells:
            add(line, "td", cell)
    return anchors


def _header(document: Element, records: Records) -> None:
    about = records.about
    made_at = cda.time(about.made_at.isoformat(), about.time_zone)
    add(document, "realmCode", code="US")
    add(document, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    template(document, f"{T}.1.1", "2015-08-01")
    template(document, f"{T}.1.2", "2015-08-01")
    name = "/".join(records.key(about.patient))
    add(document, "id", root=cda.id_of(f"{name}/{made_at}/{len(records.all)}"))
    add(document, "code", code="34133-9", codeSystem=LOINC, displayName="Summarization of Episode Note")
    add(document, "title", pgettext("ccd.title", "Continuity of Care Document"))
    add(document, "effectiveTime", value=made_at)
    add(
        document,
        "confidentialityCode",
        code=confidentiality(records.all),
        codeSystem="2.16.840.1.113883.5.25",
    )
    add(document, "languageCode", code=f"{about.language}-US")
    _patient(document, about.patient, cda.id_of(name))
    author = add(document, "author")
    add(author, "time", value=made_at)
    assigned = add(author, "assignedAuthor")
    _organization(assigned, "author")
    device = add(assigned, "assignedAuthoringDevice")
    add(device, "manufacturerModelName", "Chartkey")
    add(device, "softwareName", "Chartkey")
    add(add(assigned, "representedOrganization"), "name", about.custodian)
    held = add(add(document, "custodian"), "assignedCustodian")
    _organization(add(held, "representedCustodianOrganization"), "custodian", about.custodian)
    event = add(add(document, "documentationOf"), "serviceEvent", classCode="PCPR")
    span = add(event, "effectiveTime")
    oldest = min((one for one in records.all if age(one)[0]), key=age, default={})
    stamp(span, "low", cda.time(dated(oldest), about.time_zone))
    add(span, "high", value=made_at)


def _organization(made: Element, name: str, called: str = "") -> None:
    """In the order of the schema: id, name (of an organisation), then address and telecom."""
    add(made, "id", root=cda.id_of(name))
    if called:
        add(made, "name", called)
        add(made, "telecom", nullFlavor="UNK")
        _address(made, {})
    else:
        _address(made, {})
        add(made, "telecom", nullFlavor="UNK")


def _patient(document: Element, patient: Resource, id: str) -> None:
    role = add(add(document, "recordTarget"), "patientRole")
    add(role, "id", root=id)
    _address(role, first(patient, "address"))
    _telecom(role, patient)
    made = add(role, "patient")
    name = first(patient, "name")
    said = add(made, "name", use="L")
    given = [g for g in name.get("given") or [] if isinstance(g, str)]
    for one in given or [""]:
        _maybe(said, "given", one)
    _maybe(said, "family", text(name, "family") or text(name, "text"))
    code, display = GENDERS.get(text(patient, "gender"), ("", ""))
    gender = {"code": code, "codeSystem": "2.16.840.1.113883.5.1", "displayName": display}
    add(made, "administrativeGenderCode", **(gender if code else {"nullFlavor": "UNK"}))
    stamp(made, "birthTime", cda.time(text(patient, "birthDate"), "UTC"))
    _omb(made, "raceCode", patient, "us-core-race")
    _omb(made, "ethnicGroupCode", patient, "us-core-ethnicity")
    if language := text(patient, "communication", "language", "coding", "code"):
        add(add(made, "languageCommunication"), "languageCode", code=language)


def _omb(made: Element, name: str, patient: Resource, extension: str) -> None:
    """Race and ethnicity as US Core has them: the first category of the OMB; the others are sdtc's."""
    found = [
        first(part, "valueCoding")
        for one in objects(patient, "extension")
        if one.get("url") == f"{US_CORE}/{extension}"
        for part in objects(one, "extension")
        if part.get("url") == "ombCategory"
    ]
    known = [(text(c, "code"), text(c, "display")) for c in found if text(c, "code")[:1].isdigit()]
    if not known:
        add(made, name, nullFlavor="UNK")
        return
    add(made, name, code=known[0][0], codeSystem=RACE, displayName=known[0][1])
    for code, display in known[1:]:
        more = {"code": code, "codeSystem": RACE, "displayName": display}
        SubElement(made, f"{{{cda.SDTC}}}{name}", more)


def _address(made: Element, address: Any) -> None:
    said = add(made, "addr", use="HP" if address else "")
    lines = [line for line in first(address).get("line") or [] if isinstance(line, str)]
    for line in lines[:4] or [""]:
        _maybe(said, "streetAddressLine", line)
    for name, element in (("city", "city"), ("state", "state"), ("postalCode", "postalCode")):
        _maybe(said, element, text(address, name))
    _maybe(said, "country", text(address, "country"))


def _telecom(made: Element, patient: Resource) -> None:
    schemes = {"phone": "tel:", "email": "mailto:"}
    known = [(text(t, "system"), text(t, "value")) for t in objects(patient, "telecom")]
    found = [
        schemes[system] + "".join(value.split()) for system, value in known if system in schemes and value
    ]
    for value in found:
        add(made, "telecom", value=value, use="HP")
    if not found:
        add(made, "telecom", nullFlavor="UNK")


def _maybe(made: Element, name: str, said: str) -> None:
    if said:
        add(made, name, said)
    else:
        add(made, name, nullFlavor="UNK")
