"""Labels that a resource takes from what it is made of.

A report says what its results are: a panel or report that refers to a result of HIV is as private
as that result. The members are read once for a whole answer.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from consent.labels import labels_of
from fhirproxy import upstream
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, EhrFailure
from fhirproxy.upstream import FhirRequest

# Elements by which a resource refers to the Observations that it consists of (FHIR R4).
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "DiagnosticReport": ("result",),
    "Observation": ("hasMember", "derivedFrom"),
}
OBSERVATION = re.compile(r"(?:^|/)Observation/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?$")
AT_ONCE = 100  # ids in one search


def member_ids(resource: Mapping[str, Any]) -> set[str]:
    """Ids of the Observations that a resource consists of."""
    names = MEMBERS.get(str(resource.get("resourceType")), ())
    values = [resource.get(name) for name in names]
    references = [r for value in values if isinstance(value, list) for r in value if isinstance(r, dict)]
    found = (OBSERVATION.search(str(r.get("reference", ""))) for r in references)
    return {match[1] for match in found if match}


def labels_of_members(resources: Iterable[Mapping[str, Any]], source: Source) -> dict[str, frozenset[str]]:
    """id of an Observation → its labels, for all that these resources consist of.

    Raises EhrFailure where the EHR does not say: what cannot be looked at is not let out.
    """
    wanted = sorted({i for resource in resources for i in member_ids(resource)})
    labels: dict[str, frozenset[str]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        ids = ",".join(wanted[start : start + AT_ONCE])
        query = (("_id", ids), ("_count", str(AT_ONCE)))
        try:
            answer = upstream.of(source).send(FhirRequest("GET", "Observation", query))
        except upstream.UpstreamUnavailable as error:
            raise EhrFailure(502, EHR_DOWN) from error
        if answer.status != 200:
            raise EhrFailure(502, EHR_DOWN)
        for entry in msgspec.json.decode(answer.body, type=dict[str, Any]).get("entry", []):
            labels[entry["resource"]["id"]] = labels_of(entry["resource"])
    return labels
