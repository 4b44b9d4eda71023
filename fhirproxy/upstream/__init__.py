"""The one way to speak to an EHR: `of(source).send(FhirRequest) -> FhirResponse`.

Two implementations, and nothing in the gate can tell which one it talks to: the FHIR
server in this process, named by a setting, and FHIR REST over HTTP, through the adapter of
the EHR's make.
"""

import threading
from functools import lru_cache

from cryptography.fernet import InvalidToken

from fhirproxy import adapters
from fhirproxy.messages import (
    FHIR_JSON,
    FhirRequest,
    FhirResponse,
    Params,
    Trouble,
    Upstream,
    UpstreamUnavailable,
)
from fhirproxy.models import Source
from fhirproxy.upstream import tapes
from fhirproxy.upstream.credentials import BackendServices, Credentials, Fixed, basic
from fhirproxy.upstream.embedded import Embedded
from fhirproxy.upstream.exchange import Bounds, Server
from fhirproxy.upstream.guard import Guard
from fhirproxy.upstream.http import Http
from fhirproxy.upstream.whole import File, NotWhole, Pending, WholeExport

__all__ = [
    "FHIR_JSON",
    "Embedded",
    "FhirRequest",
    "FhirResponse",
    "File",
    "Http",
    "NotWhole",
    "Params",
    "Pending",
    "Trouble",
    "Upstream",
    "UpstreamUnavailable",
    "WholeExport",
    "forget",
    "of",
    "whole_export",
]
# What makes an EHR another one to us: a change of any of it starts anew, with nothing tapes.
CONFIGURED = (
    *("slug", "base_url", "adapter", "auth", "auth_id", "secret", "token_url", "scope"),
    *("connect_timeout", "read_timeout", "deadline", "max_bytes", "concurrency"),
)

_MAKING = threading.Lock()


def of(source: Source) -> Upstream:
    """Raises UpstreamUnavailable where the source cannot be used as it is set up."""
    if source.kind == Source.Kind.EMBEDDED:
        return Embedded()
    if copy := tapes.in_use():
        return copy
    return tapes.listening(_shared(source))


def whole_export(source: Source) -> WholeExport | None:
    """The EHR's own Bulk Data export, where it can have one. Raises UpstreamUnavailable, as `of`."""
    return None if source.kind == Source.Kind.EMBEDDED else WholeExport(_shared(source))


def _shared(source: Source) -> Http:
    with _MAKING:  # threads that come at once share one: its limits are for all of them
        return _http(tuple(getattr(source, name) for name in CONFIGURED))


def forget() -> None:
    """Drop connections, tokens and what is known of failures."""
    _http.cache_clear()


@lru_cache(maxsize=64)
def _http(configured: tuple[object, ...]) -> Http:
    source = Source(**dict(zip(CONFIGURED, configured, strict=True)), kind=Source.Kind.HTTP)
    if problem := source.problem():
        raise UpstreamUnavailable(problem, Trouble.CONNECT)
    bounds = Bounds(source.connect_timeout, source.read_timeout, source.deadline, source.max_bytes)
    return Http(
        slug=source.slug,
        server=Server(source.base_url, bounds, source.concurrency),
        bounds=bounds,
        credentials=_credentials(source, bounds),
        adapter=adapters.of(source.adapter),
        guard=Guard(source.concurrency),
    )


def _credentials(source: Source, bounds: Bounds) -> Credentials:
    if source.auth == Source.Auth.NONE:
        return Fixed()
    try:
        secret = source.open_secret()
    except InvalidToken as error:
        raise UpstreamUnavailable("FIELD_KEY opens its secret no more", Trouble.CREDENTIALS) from error
    if source.auth == Source.Auth.BASIC:
        return basic(source.auth_id, secret)
    return BackendServices(source.auth_id, secret, source.token_url, source.scope, bounds)
