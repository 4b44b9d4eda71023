"""Labels that a resource takes from what it is made of, and from what it is about.

A report says what its results are; a prescription that names its medicine by reference, or gives a
condition of HIV as its reason, tells as much as if it had the code. So references count like codes,
even where that hides more than a careful reader would. One level only: a report takes the labels of
its results, and not those of what its results derive from. What is contained is read with the
resource itself (`consent.labels`). What is around a whole answer is asked for at once.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from consent.labels import Codes, labels_of
from fhirproxy import asking
from fhirproxy.compartment import at, relative
from fhirproxy.models import Source
from smart.resource_types import R4

_DRUG = ("medicationReference", "reasonReference")
# Elements whose references tell what a resource is about (FHIR R4).
TELLING: Mapping[str, tuple[str, ...]] = {
    "DiagnosticReport": ("result", "encounter", "imagingStudy", "media.link"),
    "Observation": ("hasMember", "derivedFrom"),
    "DocumentReference": ("context.encounter",),
    "Composition": ("encounter", "section.entry", "section.section.entry"),
    "ClinicalImpression": ("encounter", "problem", "finding.itemReference"),
    "Media": ("encounter",),
    "ImagingStudy": ("encounter", "reasonReference"),
    "MedicationRequest": _DRUG,
    "MedicationStatement": _DRUG,
    "MedicationAdministration": _DRUG,
    "MedicationDispense": ("medicationReference", "authorizingPrescription"),
    "Encounter": ("diagnosis.condition", "reasonReference"),
    "EpisodeOfCare": ("diagnosis.condition",),
    "Claim": ("diagnosis.diagnosisReference",),
    "ExplanationOfBenefit": ("diagnosis.diagnosisReference",),
    "Condition": ("evidence.detail",),
    "CarePlan": ("addresses",),
    "Goal": ("addresses",),
    "Procedure": ("reasonReference", "complicationDetail", "report"),
    **dict.fromkeys(
        (
            "Appointment",
            "CareTeam",
            "Communication",
            "CommunicationRequest",
            "DeviceRequest",
            "DeviceUseStatement",
            "FamilyMemberHistory",
            "Immunization",
            "RequestGroup",
            "ServiceRequest",
            "SupplyRequest",
        ),
        ("reasonReference",),
    ),
}
REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9\-._]{1,255}")  # longer than FHIR's 64: some EHRs' are


def neighbours(resource: Mapping[str, Any], base: str = "") -> frozenset[str]:
    """ "Type/id" of each resource that this one takes labels from.

    `base` is the EHR's own address. A reference to another server adds nothing: that server's
    resource is not here to be looked at, and its address tells nothing of what is in it.
    """
    found = set()
    for path in TELLING.get(str(resource.get("resourceType")), ()):
        for value in at(resource, path.split(".")):
            reference = value.get("reference") if isinstance(value, dict) else None
            if isinstance(reference, str):
                match = REFERENCE.fullmatch(relative(reference, base))
                if match and match[1] in R4:
                    found.add(match[0])
    return frozenset(found)


def labels_of_neighbours(
    resources: Iterable[Mapping[str, Any]], source: Source, codes: Codes
) -> dict[str, frozenset[str]]:
    """ "Type/id" → labels, of all that these resources take labels from, and that has any.

    Raises EhrFailure where the EHR does not say: what cannot be looked at is not let out. What the
    EHR says it has not adds nothing: nobody could learn from the bare id what it was about.
    """
    base = source.base_url or settings.FHIR_BASE_URL
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for resource in resources:
        for reference in neighbours(resource, base):
            resource_type, _, resource_id = reference.partition("/")
            wanted[resource_type].add(resource_id)
    labels = {}
    for resource_type, ids in sorted(wanted.items()):
        for body in asking.by_ids(source, resource_type, ids):
            found = asking.decode(body)
            if own := labels_of(found, codes):
                labels[f"{found.get('resourceType')}/{found.get('id')}"] = own
    return labels
