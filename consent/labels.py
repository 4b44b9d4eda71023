"""Sensitivity of a resource: what the EHR said, and what its codes say.

Rule for the unknown: it closes. A security label that is no label of ours stays a label under
its own name, so it hides the resource until somebody permits that name; a security element that
cannot be read counts as R; a code without a system is looked for in every system that has long
codes. R or V (confidentiality) counts as a label of its own where nothing tells what it is about.
A record under 42 CFR Part 2 comes out of a substance use program, so it counts as SUD where
nothing else says that it is about substance use.

What does not close: a code that is in no value set, and words. Free text is not read.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import (
    ACT_CODE,
    CONFIDENTIALITY,
    LABELS,
    LOINC,
    SUBSTANCE_USE,
    Label,
    Mark,
)

# (system, code) → labels; the system "" stands for a coding that names none. ICD-10-CM codes stand
# without their dot, and cover their subcodes.
Codes = Mapping[tuple[str, str], frozenset[str]]

VALUE_SETS = Path(__file__).parent / "valuesets"
SNOMED = "http://snomed.info/sct"
ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LONG_CODES = frozenset({SNOMED, LOINC, RXNORM, HCPCS})  # HL7's own lists have codes such as "22"

# The same code systems as EHRs name them: older addresses and OIDs.
SYSTEM: Mapping[str, str] = {
    "http://hl7.org/fhir/v3/ActCode": ACT_CODE,
    "urn:oid:2.16.840.1.113883.5.4": ACT_CODE,
    "http://hl7.org/fhir/v3/Confidentiality": CONFIDENTIALITY,
    "urn:oid:2.16.840.1.113883.5.25": CONFIDENTIALITY,
    "http://hl7.org/fhir/sid/icd-10": ICD_10,
    "http://hl7.org/fhir/sid/icd-10-us": ICD_10,
    "urn:oid:2.16.840.1.113883.6.3": ICD_10,
    "urn:oid:2.16.840.1.113883.6.90": ICD_10,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.285": HCPCS,
    "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes": HCPCS,
}
# Labels that say how to handle a resource, or that it needs no special care: they hide nothing.
HARMLESS = frozenset({"N", "L", "M", "U", "NODSCLCD", "NORDSCLCD", "PERSISTLABEL", "HTEST"})
MARKS: Mapping[str, str] = {mark.upper(): mark for mark in Mark}
OPEN, PRIVATE = frozenset({Label.R, Label.V}), Label.R
LABELLING = frozenset({"meta", "securityLabel", "confidentiality"})  # they label; they are not labelled
NOTHING: frozenset[str] = frozenset()


def labels_of(resource: Mapping[str, Any], codes: Codes) -> frozenset[str]:
    """Every sensitivity label of a FHIR resource, with all that is inside it: contained resources,
    the entries of a Bundle, what a Consent's provisions speak of."""
    declared, topics = set[str](), set[str]()
    stack: list[Any] = [resource]
    while stack:
        node = stack.pop()
        for name, child in node.items():
            if name in LABELLING:
                declared.update(_labelling(name, child, whole="resourceType" in node))
            elif isinstance(child, dict):
                stack.append(child)
            elif isinstance(child, list):
                for item in child:
                    if isinstance(item, dict):
                        stack.append(item)
                    elif isinstance(item, list):
                        stack.append({"": item})
                    elif name == "contained":
                        declared.add(PRIVATE)
            elif name == "code" and isinstance(child, str):
                topics |= _looked_up(node.get("system"), child, codes)
    return _closed(declared, topics)


def _labelling(name: str, value: Any, *, whole: bool) -> Iterator[str]:
    """Labels of one labelling element; `whole` says that it stands on a resource, not deeper inside."""
    if name == "meta":
        return _named(value.get("security", ()) if isinstance(value, dict) else None)
    if name == "confidentiality":  # of a Composition, a code
        return _named([{"code": value}])
    return _security_label(value, whole=whole)


def _closed(declared: set[str], topics: set[str]) -> frozenset[str]:
    marked = declared & set(Mark)
    topics |= declared - OPEN - marked
    if marked and not topics & SUBSTANCE_USE:
        topics.add(Label.SUD)
    return frozenset(topics or declared)


def marks_of(resource: Mapping[str, Any]) -> frozenset[str]:
    """The laws that go with a resource: {"42CFRPart2"}, or nothing. A contained resource's are its own."""
    contained = resource.get("contained")
    parts = [resource, *(contained if isinstance(contained, list) else [])]
    found = (
        label
        for part in parts
        if isinstance(part, dict)
        for name in LABELLING & part.keys()
        for label in _labelling(name, part[name], whole=True)
    )
    return frozenset(found) & frozenset(Mark)


def _security_label(value: object, *, whole: bool) -> Iterator[str]:
    """Labels of `securityLabel`: of CodeableConcepts on a resource; of Codings inside a Consent or an
    AuditEvent, which speak of other records, so that N, R and V say nothing of this one."""
    if not whole:
        return (label for label in _named(value) if label not in OPEN)
    concepts = value if isinstance(value, list) else [None]
    return (
        label
        for concept in concepts
        for label in _named(concept.get("coding") if isinstance(concept, dict) else None)
    )


def _named(codings: object) -> Iterator[str]:
    """The labels and marks that codings name. What is not what FHIR says closes: nobody knows what it
    was to protect."""
    if not isinstance(codings, list | tuple):
        yield PRIVATE
        return
    for coding in codings:
        code = coding.get("code") if isinstance(coding, dict) else None
        if not isinstance(code, str) or not code:
            yield PRIVATE
        elif (upper := code.upper()) not in HARMLESS:
            yield upper if upper in LABELS else MARKS.get(upper, code)


def _looked_up(system: object, code: str, codes: Codes) -> frozenset[str]:
    name = canonical(system) if isinstance(system, str) else ""
    if name not in ("", ICD_10):
        return codes.get((name, code), NOTHING)
    bare = code.replace(".", "").upper()
    keys = [(ICD_10, bare[:end]) for end in range(3, len(bare) + 1)] if len(bare) <= 8 else []
    return NOTHING.union(*(codes.get(key, NOTHING) for key in (("", code), *keys)))


@lru_cache(maxsize=1024)
def canonical(system: str) -> str:
    """The name under which a code system stands in the value sets."""
    name = system.strip().partition("|")[0].rstrip("/")
    return SNOMED if name.startswith(f"{SNOMED}/") else SYSTEM.get(name, name)


def merged(rows: Iterable[tuple[str, str, Iterable[str]]], base: Codes | None = None) -> Codes:
    """Codes out of (system, code, labels), added to `base`; one that stands in several sets has the
    labels of all."""
    found = dict(base or {})
    for system, code, labels in rows:
        name = canonical(system)
        keys = [(name, code.replace(".", "").upper() if name == ICD_10 else code)]
        if name in LONG_CODES:
            keys.append(("", code))
        for key in keys:
            found[key] = found.get(key, NOTHING).union(labels)
    return found


@cache
def starter_codes(jurisdiction: str = "", folder: Path = VALUE_SETS) -> Codes:
    """The sets in `consent/valuesets`, with those of one jurisdiction's own law.

    Raises BadFile, which names file and line, for a file that does not parse or a label that is not known.
    """
    return merged(
        row for path in sorted(folder.glob("*.toml")) for row in _rows(path, read_toml(path), jurisdiction)
    )


def _rows(
    path: Path, file: Mapping[str, Any], jurisdiction: str
) -> Iterator[tuple[str, str, frozenset[str]]]:
    ours = file.get("jurisdiction", jurisdiction) == jurisdiction
    for number, row in enumerate(file.get("set", []), 1):
        if missing := {"labels", "system", "codes"} - set(row):
            raise BadFile(path, f"set {number} has no {sorted(missing)[0]}")
        for label in row["labels"]:
            if label not in LABELS:
                raise BadFile(path, f"the label {label} is not known", line_of(path, f'"{label}"'))
        for code in row["codes"] if ours else ():
            try:
                expanded = _expanded(code) if row["system"] == ICD_10 else [code]
            except ValueError:
                raise BadFile(path, f"{code} is no range of codes", line_of(path, f'"{code}"')) from None
            for one in expanded:
                yield row["system"], one, frozenset(row["labels"])


def _expanded(code: str) -> list[str]:
    """ICD-10-CM "F12-F16" is F12, F13, … F16; "T40.0-T40.4" is T400 … T404."""
    first, _, last = code.replace(".", "").partition("-")
    if "-" not in code:
        return [first]
    if first[:1] != last[:1] or len(first) != len(last) or first[1:] > last[1:]:
        raise ValueError("not a range")
    width = len(first) - 1
    return [f"{first[0]}{number:0{width}}" for number in range(int(first[1:]), int(last[1:]) + 1)]
