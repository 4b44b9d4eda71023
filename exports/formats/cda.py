"""Elements and data types of CDA R2 (HL7 V3): a tree, so that every text is escaped."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, register_namespace
from zoneinfo import ZoneInfo

from exports.formats.narrative import clean
from fhirproxy.reading import moment, objects, text, words

V3, XSI, SDTC = "urn:hl7-org:v3", "http://www.w3.org/2001/XMLSchema-instance", "urn:hl7-org:sdtc"
LOINC, SNOMED, ACT_CODE = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96", "2.16.840.1.113883.5.4"
ACT_CLASS, RXNORM = "2.16.840.1.113883.5.6", "2.16.840.1.113883.6.88"
OIDS: Mapping[str, str] = {
    "http://loinc.org": LOINC,
    "http://snomed.info/sct": SNOMED,
    "http://www.nlm.nih.gov/research/umls/rxnorm": RXNORM,
    "http://hl7.org/fhir/sid/icd-10-cm": "2.16.840.1.113883.6.90",
    "http://hl7.org/fhir/sid/cvx": "2.16.840.1.113883.12.292",
    "http://hl7.org/fhir/sid/ndc": "2.16.840.1.113883.6.69",
    "http://fdasis.nlm.nih.gov": "2.16.840.1.113883.4.9",
}
register_namespace("", V3)
register_namespace("xsi", XSI)
register_namespace("sdtc", SDTC)


def root(name: str) -> Element:
    return Element(f"{{{V3}}}{name}")


def add(parent: Element, name: str, said: str = "", /, **attributes: str) -> Element:
    """A child; an attribute that is "" is left out, and `xsi_type` is xsi:type."""
    made = SubElement(parent, f"{{{V3}}}{name}")
    for key, value in attributes.items():
        if value:
            made.set(f"{{{XSI}}}type" if key == "xsi_type" else key, clean(value))
    if said:
        made.text = clean(said)
    return made


def template(parent: Element, oid: str, extension: str) -> None:
    """R2.1's template and, as CONF:1198-32936 asks, the same of R1.1, which has no extension."""
    add(parent, "templateId", root=oid, extension=extension)
    add(parent, "templateId", root=oid)


def id_of(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"chartkey/cda/{name}"))


def time(value: str, zone: str) -> str:
    """A FHIR date or dateTime as TS: as exact as it was written, a time with its offset; "" for no time."""
    known = moment(value)
    if known is None:
        return ""
    if known.precision == "time":
        return known.at.astimezone(ZoneInfo(zone)).strftime("%Y%m%d%H%M%S%z")
    return value.replace("-", "")


def stamp(parent: Element, name: str, value: str) -> Element:
    """An element of type TS, or the reason why there is no time."""
    return add(parent, name, value=value) if value else add(parent, name, nullFlavor="UNK")


def concept(parent: Element, name: str, coded: Any, *, prefer: str = "", xsi_type: str = "") -> Element:
    """A CodeableConcept as CD: a code of a system with an OID, the others as translations, and the words.

    `prefer`: the OID that the template asks for first. Without a code: nullFlavor, and the words.
    """
    codings = [
        (OIDS[c["system"]], text(c, "code"), text(c, "display"))
        for c in objects(coded, "coding")
        if isinstance(c.get("system"), str) and c["system"] in OIDS and text(c, "code")
    ]
    codings.sort(key=lambda coding: coding[0] != prefer)
    if not codings:
        made = add(parent, name, nullFlavor="OTH" if words(coded) else "UNK", xsi_type=xsi_type)
        if words(coded):
            add(made, "originalText", words(coded))
        return made
    system, code, display = codings[0]
    made = add(parent, name, code=code, codeSystem=system, displayName=display, xsi_type=xsi_type)
    if words(coded):
        add(made, "originalText", words(coded))
    for system, code, display in codings[1:]:
        add(made, "translation", code=code, codeSystem=system, displayName=display)
    return made
