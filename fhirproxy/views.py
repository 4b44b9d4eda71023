"""The FHIR R4 endpoint: bytes in, the gate, bytes out."""

import json

import structlog
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from consent import authority
from consent.authority import Requester
from fhirproxy import gate, interactions, release
from fhirproxy.interactions import Interaction
from fhirproxy.metadata import capability_statement
from fhirproxy.outcomes import LOG_DOWN, Refusal
from fhirproxy.upstream import FHIR_JSON, FhirResponse

FORM = "application/x-www-form-urlencoded"
log = structlog.get_logger("chartkey.gate")


@require_GET
def metadata(request: HttpRequest) -> HttpResponse:
    return HttpResponse(json.dumps(capability_statement()), content_type=FHIR_JSON)


@csrf_exempt  # a bearer token opens this, never a cookie
def fhir(request: HttpRequest, path: str) -> HttpResponse:
    """Every other address below the FHIR base."""
    try:
        _accepts_json(request)
        requester = authority.from_bearer(_bearer(request))
        if requester is None:
            release.refuse_unserved(None, 401)
            raise _unauthorized("invalid_token", "The access token is unknown.")
        return _http(gate.serve(requester, _interaction(request, path, requester)))
    except Refusal as refusal:
        return _http(refusal.response())
    except DatabaseError:
        log.exception("gate has no database")
        return _http(Refusal(503, LOG_DOWN, {"Retry-After": "5"}).response())


def _interaction(request: HttpRequest, path: str, requester: Requester) -> Interaction:
    try:
        return interactions.parse(request.method or "", path, _query(request))
    except Refusal as refusal:
        release.refuse_unserved(requester, refusal.status)
        raise


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("", "Send an access token: Authorization: Bearer …")
    return token.strip()


def _unauthorized(error: str, diagnostics: str) -> Refusal:
    header = f'Bearer error="{error}"' if error else "Bearer"
    return Refusal(401, diagnostics, {"WWW-Authenticate": header})


def _accepts_json(request: HttpRequest) -> None:
    wanted = request.GET.get("_format") or request.headers.get("Accept") or "*/*"
    if "json" not in wanted and "*/*" not in wanted and "application/*" not in wanted:
        raise Refusal(406, "Only JSON is served. Send Accept: application/fhir+json.")


def _query(request: HttpRequest) -> list[tuple[str, str]]:
    """Parameters of the address, and of a form that was posted (FHIR R4, 3.1.0.9)."""
    if request.method != "GET" and not request.path.endswith("/_search"):
        return []  # not a search: it is refused for what it is
    if request.method == "POST" and request.content_type != FORM:
        raise Refusal(415, f"A search is posted as {FORM}.")
    try:
        sources = [request.GET] if request.method == "GET" else [request.GET, request.POST]
    except (RequestDataTooBig, TooManyFieldsSent):
        raise Refusal(413, "The search has too many parameters.") from None
    return [(k, v) for source in sources for k, values in source.lists() for v in values]


def _http(answer: FhirResponse) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
