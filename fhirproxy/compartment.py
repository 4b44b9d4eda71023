"""Whose a resource is: the patient compartment, read off the resource itself (FHIR R4, 2.14)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fhirproxy.served import TypeRule

PATIENT = re.compile(r"(?:^|/)Patient[/?]")
SOMEBODY = "Patient/?"


def belongs_to(resource: Mapping[str, Any], rule: TypeRule, patient_id: str, base: str = "") -> bool:
    """Whether every owner that a resource names is this patient, and it names one.

    `base` is the EHR's own address. A resource that names two patients is nobody's to see alone;
    one that names none is not ours to guess.
    """
    owners = set(owners_of(resource, rule, base))
    return owners == {f"Patient/{patient_id}"}


def owners_of(resource: Mapping[str, Any], rule: TypeRule, base: str) -> Iterator[str]:
    for path in rule.owner_paths:
        if path == "id":
            yield f"Patient/{resource.get('id')}"
            continue
        for value in at(resource, path.split(".")):
            if isinstance(value, dict) and (found := _patient_of(value, base)):
                yield found


def _patient_of(value: Mapping[str, Any], base: str) -> str | None:
    """The patient whom a Reference names. One who is named by an identifier only may be anybody."""
    reference = value.get("reference")
    if isinstance(reference, str):
        return _patient_reference(reference, base)
    return SOMEBODY if value.get("type") == "Patient" else None


def _patient_reference(reference: str, base: str) -> str | None:
    """ "Patient/1" out of a relative or versioned reference, or an absolute one to this EHR.

    None if it is to something else than a patient. A patient of another server stays the whole
    address: the same id there is somebody else. So does what is more than an address of a patient.
    """
    path = relative(reference, base)
    return path if PATIENT.search(path) else None


def relative(reference: str, base: str) -> str:
    """ "Type/id" out of a relative or versioned reference, or an absolute one to this EHR; else as it is."""
    return reference.split("/_history/")[0].removeprefix(f"{base}/" if base else "")


def at(node: object, path: list[str]) -> Iterator[object]:
    """Every value at a path of elements, through lists."""
    if isinstance(node, list):
        for item in node:
            yield from at(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from at(node[path[0]], path[1:])
