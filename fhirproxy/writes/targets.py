"""What a change is to: how the chart has it now, and in which version."""

from collections.abc import Mapping
from typing import Any

from fhirproxy import asking
from fhirproxy.messages import FhirResponse
from fhirproxy.models import Source


class NoTarget(Exception):
    """What is to be changed is not there, or not this patient's to see."""


def now(source: Source, reference: str) -> tuple[str, str]:
    """(body, version; empty where the EHR keeps none). Raises NoTarget, EhrFailure."""
    answer = asking.ask(source, reference)
    if answer.status in (404, 410):
        raise NoTarget(reference)
    if answer.status != 200:
        raise asking.failed(source, answer)
    return answer.body.decode(), version_of(answer, asking.decode(answer.body))


def version_of(answer: FhirResponse, resource: Mapping[str, Any]) -> str:
    """The version of a resource that was read; empty where the EHR keeps none."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    tag = headers.get("etag", "").removeprefix("W/").strip('"')
    meta = resource.get("meta")
    return tag or (str(meta.get("versionId", "")) if isinstance(meta, dict) else "")
