"""Resources that do not say whose they are, and are read through those that do.

A Binary is as private as each document that points to it; a Medication is a patient's once one of
their prescriptions names it; a Provenance tells of its targets, so whoever reads it may read them all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from consent.decision import Decision, Reason
from fhirproxy import asking
from fhirproxy.asking import NotUnderstood
from fhirproxy.checks import Seen, decide_on, see
from fhirproxy.compartment import at, relative
from fhirproxy.release import Call
from fhirproxy.served import SERVED

# Who refers to a resource of the type, the search parameter to find them by, and the element (FHIR R4).
REFERRERS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Binary": (("DocumentReference", "location", "content.attachment.url"),),
    "Medication": (
        ("MedicationRequest", "medication", "medicationReference.reference"),
        ("MedicationStatement", "medication", "medicationReference.reference"),
        ("MedicationDispense", "medication", "medicationReference.reference"),
    ),
}
REACHED = frozenset({*REFERRERS, "Provenance"})
MOST_TARGETS = 50
HIDDEN = Decision(False, (Reason.NOT_YOURS,))


def decide_reached(call: Call, seen: Seen) -> tuple[Seen, Decision]:
    """The resource with the labels and categories that it takes from there, and its decision."""
    around = targets(call, seen.resource) if seen.type == "Provenance" else _referrers(call, seen)
    if not around or _is_anothers(call, seen):
        return seen, HIDDEN
    # What a Binary says of itself is said of the documents that it is read through.
    own = seen.labels if seen.type == "Binary" else frozenset()
    decisions = [decide_on(call, replace(other, labels=other.labels | own), "read") for other in around]
    refused = [decision for decision in decisions if not decision.permitted]
    if seen.type == "Medication":
        return (seen, refused[0]) if len(refused) == len(around) else (seen, decide_on(call, seen))
    seen = with_those(seen, around)
    if refused:
        return seen, refused[0]
    # Whoever may read a document may read its attachment: apps ask for no scope of its own.
    return seen, decisions[0] if seen.type == "Binary" else decide_on(call, seen)


def with_those(seen: Seen, around: Iterable[Seen]) -> Seen:
    around = list(around)
    return replace(
        seen,
        labels=seen.labels.union(*(other.labels for other in around)),
        categories=frozenset().union(*(other.categories for other in around)),
    )


def _referrers(call: Call, seen: Seen) -> list[Seen]:
    """Of every patient: what another's document points to as well is not let out by this one's.

    Some EHRs cannot be asked who refers to a thing: there, this patient's own records are looked through.
    """
    address = f"{seen.reference},{call.base_url}/{seen.reference}"
    bodies: list[bytes] = []
    for resource_type, param, path in REFERRERS[seen.type]:
        mine = (SERVED[resource_type].patient_param, call.patient_id)
        query = (mine, (param, seen.reference)) if seen.type == "Medication" else ((param, address),)
        try:
            bodies += asking.pages(call.source, resource_type, (*query, ("_count", "50")))
        except NotUnderstood:
            if call.patient_id:
                own = asking.pages(call.source, resource_type, (mine, ("_count", "200")))
                bodies += (body for body in own if _refers(call, body, path, seen.reference))
    return see(call, bodies)


def _refers(call: Call, body: bytes, path: str, reference: str) -> bool:
    values = at(asking.decode(body), path.split("."))
    return reference in {relative(value, call.base_url) for value in values if isinstance(value, str)}


def _is_anothers(call: Call, seen: Seen) -> bool:
    """Whether a Binary says that its rules are those of another patient (FHIR R4, Binary.securityContext)."""
    context = seen.resource.get("securityContext")
    if context is None:
        return False
    named = relative(str(context.get("reference", "")) if isinstance(context, dict) else "", call.base_url)
    return named.partition("/")[0] in ("", "Patient") and named != f"Patient/{call.patient_id}"


def targets(call: Call, resource: Mapping[str, Any]) -> list[Seen]:
    """What a Provenance tells of; empty where one of them cannot be had, or is not ours to tell of."""
    references = target_references(resource, call.base_url)
    wanted = defaultdict(set)
    for reference in references:
        kind, _, resource_id = reference.partition("/")
        if kind not in SERVED or kind in REACHED or "/" in resource_id:
            return []
        wanted[kind].add(resource_id)
    if not references or len(references) > MOST_TARGETS:
        return []
    found = see(
        call, (body for kind, ids in wanted.items() for body in asking.by_ids(call.source, kind, ids))
    )
    return found if {seen.reference for seen in found} == references else []


def target_references(resource: Mapping[str, Any], base: str) -> set[str]:
    """ "Type/id" of each target; a target that is no reference to this EHR stays what it says."""
    listed = resource.get("target")
    return {
        relative(str(target.get("reference", "")) if isinstance(target, dict) else "", base)
        for target in (listed if isinstance(listed, list) else [])
    }
