"""The FHIR R4 endpoint: bytes in, the gate, bytes out."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

import structlog
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from audit import context
from audit.events import EventType
from consent.decision import Reason
from consent.requester import Requester
from fhirproxy import batches, budgets, gate, interactions, release
from fhirproxy.batches import Batch, Query
from fhirproxy.interactions import NOT_SERVED, Interaction
from fhirproxy.metadata import capability_statement
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, LOG_DOWN, Refusal
from fhirproxy.upstream import FHIR_JSON, FhirResponse
from fhirproxy.upstream.exchange import within
from fhirproxy.writes import door
from smart import dpop
from smart.jwts import BadToken

FORM = "application/x-www-form-urlencoded"
JSON = frozenset({FHIR_JSON, "application/json"})
LONGEST = 60  # seconds that the EHR may take for all pages and entries of one request together
T = TypeVar("T")
log = structlog.get_logger("chartkey.gate")


def answering(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view whose refusals are OperationOutcomes."""

    @wraps(view)
    def answer(request: HttpRequest, **named: str) -> HttpResponseBase:
        try:
            return view(request, **named)
        except Refusal as refusal:
            return http(refusal.response())
        except DatabaseError:
            log.exception("gate has no database")
            return http(Refusal(503, LOG_DOWN, {"Retry-After": "5"}).response())

    return answer


@csrf_exempt  # nothing is changed here; another method gets an answer in FHIR
@answering
def metadata(request: HttpRequest, source: str = "") -> HttpResponse:
    if request.method not in {"GET", "HEAD"}:
        raise Refusal(405, "The capability statement is read, and nothing else.", {"Allow": "GET"})
    accepts_json(request)
    return HttpResponse(json.dumps(capability_statement(named(source))), content_type=FHIR_JSON)


@csrf_exempt  # a bearer token opens this, never a cookie
@answering
def fhir(request: HttpRequest, path: str, source: str = "") -> HttpResponse:
    """Every other address below the FHIR base."""
    raw = path.startswith("Binary/") and not _wants_json(request)
    requester = bearer(request)
    if not raw:
        refusing(requester, lambda: accepts_json(request))
    return answer(request, requester, path, source, raw=raw)


def answer(
    request: HttpRequest, requester: Requester, path: str, source: str = "", *, raw: bool = False
) -> HttpResponse:
    """What the gate answers to a requester. `raw`: a Binary as what it holds. Raises Refusal."""
    serve = _Server(requester, refusing(requester, lambda: named(source)))
    if path == "" and request.method == "POST":
        batch = refusing(requester, lambda: batches.read(json_of(request)))
        with serve.in_time():
            return http(_batch(serve, batch))
    headers = {name.lower(): value for name, value in request.headers.items()}
    if writing := interactions.writing(request.method or "", path):
        with serve.in_time():
            return http(serve.write(writing, headers, request))
    asked = refusing(requester, lambda: query(request))
    with serve.in_time():
        found = serve(request.method or "", path, asked, headers)
    return _bytes_of(found) if raw and found.status == 200 else http(found)


def _batch(serve: "_Server", batch: Batch) -> FhirResponse:
    """What was let out entry by entry leaves as one, if what let it out still holds."""
    requester = serve.requester
    if not requester.alive:
        release.refuse_unserved(requester, 401, requester.missing or Reason.TOKEN)
        raise unauthorized("invalid_token", "The access token has ended.")
    answer = batches.process(
        batch, lambda entry: serve(*refusing(requester, lambda: batches.asked_by(entry)))
    )
    release.look_again(requester)
    return answer


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    return http(Refusal(404, NOT_SERVED).response())


@dataclass(frozen=True, slots=True)
class _Server:
    """One interaction after the other, in the name of whoever holds the token."""

    requester: Requester
    source: Source | None

    def __call__(self, method: str, path: str, query: Query, headers: Mapping[str, str]) -> FhirResponse:
        interaction = refusing(self.requester, lambda: interactions.parse(method, path, query, headers))
        return gate.serve(self.requester, interaction, self.source)

    def write(
        self, interaction: Interaction, headers: Mapping[str, str], request: HttpRequest
    ) -> FhirResponse:
        return gate.serve(
            self.requester,
            interaction,
            self.source,
            event=EventType.RECORD_REFUSE,  # what was taken in has events of its own
            answer=lambda call: door.take(call, headers, request.GET, lambda: json_of(request)),
        )

    def in_time(self) -> AbstractContextManager[None]:
        """Inside, all that the EHR is asked for ends together: pages without end hold no worker."""
        return within(max(LONGEST, (self.source or Source.primary()).deadline))


def named(slug: str) -> Source | None:
    """The EHR that an address names; None for the primary one's address. Raises Refusal 404."""
    source = Source.objects.filter(slug=slug).first() if slug else None
    if slug and source is None:
        raise Refusal(404, "There is no such health record system here.")
    return source


def refusing(requester: Requester, read: Callable[[], T]) -> T:
    """What was read of the request; a refusal of it stands in the log."""
    try:
        return read()
    except Refusal as refusal:
        release.refuse_unserved(requester, refusal.status)
        raise


def bearer(request: HttpRequest) -> Requester:
    """Whoever holds the access token of a request. Raises Refusal (401, 429)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "dpop") or not token.strip():
        raise unauthorized("", "Send an access token: Authorization: Bearer …")
    requester = budgets.from_bearer(token.strip(), budgets.address_of(request))
    if requester is None:
        release.refuse_unserved(None, 401)
        raise unauthorized("invalid_token", "The access token is unknown.")
    context.present(requester.credential)
    request.cors_client = requester.client.removeprefix("Client/")  # type: ignore[attr-defined]  # smart.cors
    try:
        dpop.check_binding(request, scheme, token.strip(), requester.jkt)
    except BadToken as bad:
        release.refuse_unserved(requester, 401, Reason.TOKEN)
        said = f"The access token needs a proof of its key: {bad}."
        raise Refusal(401, said, {"WWW-Authenticate": dpop.challenge(bad)}) from bad
    return requester


def unauthorized(error: str, diagnostics: str) -> Refusal:
    header = f'Bearer error="{error}"' if error else "Bearer"
    return Refusal(401, diagnostics, {"WWW-Authenticate": header})


def accepts_json(request: HttpRequest) -> None:
    wanted = request.GET.get("_format") or request.headers.get("Accept") or "*/*"
    if "json" not in wanted and "*/*" not in wanted and "application/*" not in wanted:
        raise Refusal(406, "Only JSON is served. Send Accept: application/fhir+json.")


def _wants_json(request: HttpRequest) -> bool:
    """A Binary is sent as what it holds, unless FHIR's own form is asked for (FHIR R4, 2.23)."""
    return "json" in (request.GET.get("_format") or request.headers.get("Accept", ""))


def query(request: HttpRequest) -> Query:
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


def json_of(request: HttpRequest) -> bytes:
    """The body of a request. Raises Refusal for one that is not called JSON, or is too large."""
    if request.content_type not in JSON:
        raise Refusal(415, f"Send it as {FHIR_JSON}.")
    try:
        return request.body
    except RequestDataTooBig:
        raise Refusal(413, "This is too large.") from None


def http(answer: FhirResponse) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
    if answer.status == 304:
        del response["Content-Type"]  # Django's own: there is no content to have a type
    return response


def _bytes_of(answer: FhirResponse) -> HttpResponse:
    """A Binary's own bytes, which no browser may take for a page of ours."""
    binary = json.loads(answer.body)
    try:
        content = base64.b64decode(binary.get("data", ""), validate=True)
        kind = str(binary.get("contentType", "")).encode("ascii").decode()
    except (binascii.Error, ValueError, TypeError):
        return http(Refusal(502, EHR_DOWN).response())
    safe = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return HttpResponse(content, content_type=kind or "application/octet-stream", headers=safe)
