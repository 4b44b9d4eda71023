"""What is said to an EHR, what it says, and what can be wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

FHIR_JSON = "application/fhir+json"

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """One RESTful interaction (FHIR R4, section 3.1.0). `path` is relative to the base: "Patient/1"."""

    method: str
    path: str
    query: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    onward: bool = False  # along a page link of the EHR's own, which is sent as it was given


@dataclass(frozen=True, slots=True)
class FhirResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Trouble(StrEnum):
    """Why an EHR gave no answer. Values stand in logs and at /status/."""

    CONNECT = "connect"  # nobody there
    TLS = "tls"  # somebody, without a certificate that we trust
    TLS_OWN = "tls-own"  # with one that it made itself
    TLS_EXPIRED = "tls-expired"
    TLS_NAME = "tls-name"  # with somebody else's
    TIMEOUT = "timeout"
    CUT_OFF = "cut-off"  # the connection ended before the answer did
    TOO_LARGE = "too-large"
    NOT_FHIR = "not-fhir"  # not JSON, or JSON that two readers could read differently
    REDIRECT = "redirect"
    CREDENTIALS = "credentials"
    BUSY = "busy"  # so many are waiting for it already that no more may
    RESTING = "resting"  # it failed so often that it is left alone for a while


class UpstreamUnavailable(Exception):
    """The EHR did not answer, or with something that is no answer."""

    def __init__(self, what: str, trouble: Trouble = Trouble.CONNECT, retry_after: int = 30) -> None:
        super().__init__(what)
        self.trouble = trouble
        self.retry_after = retry_after  # seconds


class Upstream(Protocol):
    def send(self, request: FhirRequest) -> FhirResponse:
        """Raises UpstreamUnavailable."""
