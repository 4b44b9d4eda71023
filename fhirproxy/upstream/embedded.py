"""The FHIR server in this process, called by the name that settings give it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from fhirproxy.messages import FhirRequest, FhirResponse

EntryPoint = Callable[
    [str, str, Sequence[tuple[str, str]], Mapping[str, str], bytes],
    tuple[int, dict[str, str], bytes],
]


class Embedded:
    def send(self, request: FhirRequest) -> FhirResponse:
        status, headers, body = _entry_point()(
            request.method, request.path, request.query, request.headers, request.body
        )
        return FhirResponse(status, headers, body)


@cache
def _entry_point() -> EntryPoint:
    return import_string(settings.FHIRSTORE_ENTRY_POINT)
