"""The one way to speak to an EHR: `send(FhirRequest) -> FhirResponse`.

Two implementations, and nothing in the gate can tell which one it talks to: the FHIR
server in this process, named by a setting, and FHIR REST over HTTP.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol
from urllib.parse import urlencode

import urllib3
from django.conf import settings
from django.utils.module_loading import import_string

from fhirproxy.models import Source

FHIR_JSON = "application/fhir+json"
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes; an EHR that sends more is cut off

Params = tuple[tuple[str, str], ...]
EntryPoint = Callable[
    [str, str, Sequence[tuple[str, str]], Mapping[str, str], bytes],
    tuple[int, dict[str, str], bytes],
]


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """One RESTful interaction (FHIR R4, section 3.1.0). `path` is relative to the base: "Patient/1"."""

    method: str
    path: str
    query: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class FhirResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


class UpstreamUnavailable(Exception):
    """The EHR did not answer, or with something that is no answer."""


class Upstream(Protocol):
    def send(self, request: FhirRequest) -> FhirResponse:
        """Raises UpstreamUnavailable."""


class Embedded:
    """The FHIR server in this process, called by the name that settings give it."""

    def send(self, request: FhirRequest) -> FhirResponse:
        status, headers, body = _entry_point()(
            request.method, request.path, request.query, request.headers, request.body
        )
        return FhirResponse(status, headers, body)


@cache
def _entry_point() -> EntryPoint:
    return import_string(settings.FHIRSTORE_ENTRY_POINT)


class Http:
    """A FHIR REST server. Redirects are not followed: they could lead anywhere with our credentials."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.pool = urllib3.PoolManager(
            maxsize=16, timeout=urllib3.Timeout(connect=3, read=20), retries=False
        )

    def send(self, request: FhirRequest) -> FhirResponse:
        query = f"?{urlencode(request.query)}" if request.query else ""
        try:
            answer = self.pool.request(
                request.method,
                f"{self.base_url}/{request.path}{query}",
                body=request.body or None,
                headers={"Accept": FHIR_JSON, **request.headers},
                preload_content=False,
                redirect=False,
            )
            body = answer.read(LARGEST_ANSWER + 1)
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamUnavailable(type(error).__name__) from error
        if len(body) > LARGEST_ANSWER or (300 <= answer.status < 400 and answer.status != 304):
            answer.close()
            raise UpstreamUnavailable("too large an answer, or a redirect")
        answer.release_conn()
        return FhirResponse(answer.status, dict(answer.headers), body)


@cache
def _http(base_url: str) -> Http:
    return Http(base_url)


def of(source: Source) -> Upstream:
    return Embedded() if source.kind == Source.Kind.EMBEDDED else _http(source.base_url)
