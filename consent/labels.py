"""Sensitivity of a resource: what the EHR said, and what its codes say.

Rule for the unknown: it closes. A security label that is no `Label` of ours stays a label under
its own name, so it hides the resource until somebody permits that name; a security element that
cannot be read counts as R; a code without a system is looked for in every system. R or V
(confidentiality) counts as a label of its own where nothing tells what it is about.
"""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from consent.vocabulary import ACT_CODE, CONFIDENTIALITY, LOINC, Label

VALUE_SETS = Path(__file__).parent / "valuesets"
SNOMED = "http://snomed.info/sct"
ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

# The same code systems as EHRs name them: older addresses and OIDs.
SYSTEM: Mapping[str, str] = {
    "http://hl7.org/fhir/v3/ActCode": ACT_CODE,
    "urn:oid:2.16.840.1.113883.5.4": ACT_CODE,
    "http://hl7.org/fhir/v3/Confidentiality": CONFIDENTIALITY,
    "urn:oid:2.16.840.1.113883.5.25": CONFIDENTIALITY,
    "http://hl7.org/fhir/sid/icd-10": ICD_10,
    "urn:oid:2.16.840.1.113883.6.3": ICD_10,
    "urn:oid:2.16.840.1.113883.6.90": ICD_10,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
}
# Labels that say how to handle a resource, or that it needs no special care: they hide nothing.
HARMLESS = frozenset({"N", "L", "M", "U", "42CFRPART2", "NODSCLCD", "NORDSCLCD", "PERSISTLABEL", "HTEST"})
OPEN, PRIVATE = frozenset({Label.R, Label.V}), Label.R
LABELLING = frozenset({"meta", "securityLabel"})  # they label; they are not labelled


@cache
def labelled_codes() -> Mapping[tuple[str, str], frozenset[str]]:
    """(system, code) → labels, out of every file in `consent/valuesets`; system "" stands for any.

    Raises tomllib.TOMLDecodeError, which names line and column, for a file that does not parse.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for path in sorted(VALUE_SETS.glob("*.toml")):
        for row in tomllib.loads(path.read_text())["set"]:
            labels = frozenset(Label(label) for label in row["labels"])
            for code in row["codes"]:
                for system in (row["system"], ""):
                    found[system, code] = found.get((system, code), frozenset()) | labels
    return found


def labels_of(resource: Mapping[str, Any]) -> frozenset[str]:
    """Every sensitivity label of a FHIR resource, its contained resources included."""
    declared = set(_declared(resource))
    topics = declared - OPEN
    known = labelled_codes()
    for coding in _codings(resource):
        for key in _keys(*coding):
            topics |= known.get(key, frozenset())
    return frozenset(topics or declared)


def _declared(resource: Mapping[str, Any]) -> Iterator[str]:
    """Labels of `meta.security`, and of `securityLabel` where a type has it (DocumentReference, Consent)."""
    contained = resource.get("contained")
    for part in [resource, *(contained if isinstance(contained, list) else [])]:
        if not isinstance(part, dict):
            yield PRIVATE
            continue
        meta = part.get("meta", {})
        yield from _security(meta.get("security", []) if isinstance(meta, dict) else None)
        concepts = part.get("securityLabel", [])
        for concept in concepts if isinstance(concepts, list) else [None]:
            yield from _security(concept.get("coding") if isinstance(concept, dict) else None)


def _security(codings: object) -> Iterator[str]:
    if not isinstance(codings, list):
        yield PRIVATE  # an element that is not what FHIR says: nobody knows what it was to protect
        return
    for coding in codings:
        code = coding.get("code") if isinstance(coding, dict) else None
        if not isinstance(code, str) or not code:
            yield PRIVATE
        elif code.upper() not in HARMLESS:
            yield code.upper() if code.upper() in set(Label) else code


def _keys(system: str, code: str) -> Iterator[tuple[str, str]]:
    """How a coding may stand in the value sets. An ICD-10 category (F10) covers F10.20, and F1020 too."""
    system = SYSTEM.get(system, system)
    yield system, code
    if system in (ICD_10, ""):
        yield system, code.upper()[:3]


def _codings(value: object) -> Iterator[tuple[str, str]]:
    """Every coding anywhere in a resource, but for those that label it."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            system = node.get("system", "")
            if isinstance(node.get("code"), str) and isinstance(system, str):
                yield system, node["code"]
            stack.extend(child for name, child in node.items() if name not in LABELLING)
        elif isinstance(node, list):
            stack.extend(node)
