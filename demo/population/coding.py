"""Codes and where they come from: small builders of FHIR Coding and CodeableConcept."""

from typing import Any

Resource = dict[str, Any]

HL7 = "http://terminology.hl7.org/CodeSystem/"
US_CORE = "http://hl7.org/fhir/us/core/"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"

# Labels that are v3 Confidentiality codes; the others are v3 ActCode.
CONFIDENTIALITY = {
    "N": "normal",
    "R": "restricted",
    "V": "very restricted",
}
SENSITIVITY = {
    "PSY": "psychiatry disorder information sensitivity",
    "ETH": "substance abuse information sensitivity",
    "SUD": "substance use disorder information sensitivity",
    "HIV": "HIV/AIDS information sensitivity",
    "STD": "sexually transmitted disease information sensitivity",
    "SEX": "sexuality and reproductive health information sensitivity",
    "GDIS": "genetic disease information sensitivity",
    "SDV": "sexual assault, abuse, or domestic violence information sensitivity",
    "42CFRPart2": "42 CFR Part2",
}


def coding(system: str, code: str, display: str = "") -> Resource:
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(system: str, code: str, display: str = "", *, text: str = "") -> Resource:
    found: Resource = {"coding": [coding(system, code, display)]}
    if text or display:
        found["text"] = text or display
    return found


def hl7(system: str, code: str, display: str = "") -> Resource:
    """A concept of a code system on terminology.hl7.org, by its last path segment."""
    return concept(HL7 + system, code, display)


def loinc(code: str, display: str, *, text: str = "") -> Resource:
    return concept(LOINC, code, display, text=text)


def snomed(code: str, display: str, *, text: str = "") -> Resource:
    return concept(SNOMED, code, display, text=text)


def quantity(value: float, unit: str, ucum: str = "", *, comparator: str = "") -> Resource:
    """A Quantity in UCUM; `unit` is for people, `ucum` (default: the same) for machines."""
    found: Resource = {"value": value, "unit": unit, "system": UCUM, "code": ucum or unit}
    return {**found, "comparator": comparator} if comparator else found


def security(labels: tuple[str, ...]) -> list[Resource]:
    """meta.security for label codes such as ("PSY", "R"). Raises KeyError for an unknown label."""
    return [
        coding(HL7 + "v3-Confidentiality", label, CONFIDENTIALITY[label])
        if label in CONFIDENTIALITY
        else coding(HL7 + "v3-ActCode", label, SENSITIVITY[label])
        for label in labels
    ]
