"""Code systems by FHIR's own names (FHIR R4, 4.3): EHRs write OIDs, and addresses that are almost right.

A code under a name that nobody knows is a code that no value set of sensitive ones has. The names are
put right in the bytes, so that all else of a resource stays as it was sent. Only a whole text is
replaced: what is inside a longer one (a narrative, a version behind a bar) stays.
"""

from collections.abc import Mapping

OID = "urn:oid:2.16.840.1.113883."
# From HL7's registry of external code systems.
BY_OID = {
    "6.1": "http://loinc.org",
    "6.8": "http://unitsofmeasure.org",
    "6.12": "http://www.ama-assn.org/go/cpt",
    "6.42": "http://hl7.org/fhir/sid/icd-9-cm",
    "6.69": "http://hl7.org/fhir/sid/ndc",
    "6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "6.96": "http://snomed.info/sct",
    "6.103": "http://hl7.org/fhir/sid/icd-9-cm",
    "6.104": "http://hl7.org/fhir/sid/icd-9-cm",
    "12.292": "http://hl7.org/fhir/sid/cvx",
    "5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
}


def _almost(name: str) -> list[str]:
    return [f"{name}/", name.replace("http://", "https://"), name.replace("http://", "https://") + "/"]


WRONG: Mapping[str, str] = {
    **{OID + oid: name for oid, name in BY_OID.items()},
    **{wrong: name for name in BY_OID.values() for wrong in _almost(name)},
    "http://www.nlm.nih.gov/research/umls/rxnorm.html": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/icd-10-us": "http://hl7.org/fhir/sid/icd-10-cm",
}
_PAIRS = [(f'"{wrong}"'.encode(), f'"{name}"'.encode()) for wrong, name in WRONG.items()]


def in_fhirs_words(body: bytes) -> bytes:
    """The same bytes object where there is nothing to put right."""
    for wrong, name in _PAIRS:
        if wrong in body:
            body = body.replace(wrong, name)
    return body
