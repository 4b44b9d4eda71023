"""FHIR Consent, which is kept here and not at the EHR: read, vread, history, search, create and update.

The patient asks by their own session, a client by its token: it may what the token's scopes reach and the
patient's consent to privacy records allows. Both go through the gate, to the same decision and the same log.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import rfc8785
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied

from accounts import stepup
from audit.events import EventType, Outcome
from audit.log import Entry, record
from consent import authority
from consent.requester import Requester
from fhirproxy import consent_changes, consent_reads, gate, views
from fhirproxy.interactions import COUNT, DEFAULT_PAGE, LARGEST_PAGE, LONGEST_VALUE, NOT_SERVED, Interaction
from fhirproxy.outcomes import Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FhirResponse

SEARCHED = ("patient", *consent_reads.FILTERS)
LARGEST = 64 * 1024  # bytes of one Consent, which is kept for good
ETAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')
NUMBER = re.compile(r"[1-9][0-9]{0,8}")
Answer = tuple[Interaction, Callable[[Call], FhirResponse]]
Method = Callable[..., Answer]


def _view(**methods: Method) -> Callable[..., HttpResponseBase]:
    """A view whose methods say which interaction they are, and how it is answered once it is allowed."""

    @csrf_exempt  # the token of the form is asked for in `person_or_client`, where a session opens this
    @views.answering
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        requester = person_or_client(request)
        views.refusing(requester, lambda: views.accepts_json(request))
        interaction, answer = views.refusing(requester, lambda: _method(request, methods)(request, **named))
        views.refusing(requester, lambda: _prove(request, interaction))
        event = consent_changes.REFUSED if interaction.code in ("create", "update") else None
        return views.http(gate.serve(requester, interaction, event=event, answer=answer))

    return view


def _prove(request: HttpRequest, asked: Interaction) -> None:
    """To share more takes a proof that it is them, here as on the pages. Raises Refusal (403)."""
    if asked.code not in ("create", "update") or "Authorization" in request.headers:
        return
    if _resource(request).get("status") != "active":
        return
    if stepup.proof_of(request, stepup.Action.SHARE) is None:
        raise Refusal(403, "Sign in again, and send it within five minutes: it may share more.")
    stepup.require(request, stepup.Action.SHARE)  # stands in the event


def _method(request: HttpRequest, methods: Mapping[str, Method]) -> Method:
    method = methods.get(request.method or "")
    if method is None:
        allowed = ", ".join(sorted(methods))
        raise Refusal(405, f"Served here: {allowed}. An update ends a consent.", {"Allow": allowed})
    return method


def person_or_client(request: HttpRequest) -> Requester:
    """The patient who is signed in, or the client whose token it is. Raises Refusal (401, 403, 429)."""
    if "Authorization" in request.headers:
        return views.bearer(request)
    if not request.user.is_authenticated:
        raise views.unauthorized("", "Sign in, or send an access token: Authorization: Bearer …")
    patient = getattr(request.user, "patient", None)
    if patient is None:
        record(
            Entry(
                type=EventType.RECORD_REFUSE,
                outcome=Outcome.DENY,
                actor=f"User/{request.user.pk}",
                reasons=("request.403",),
            )
        )
        raise Refusal(403, "This is for patients, about their own consents.")
    requester = authority.for_own_record(request.user, patient, timezone.now())
    views.refusing(requester, lambda: check_csrf(request))
    return requester


def check_csrf(request: HttpRequest) -> None:
    """Raises Refusal (403) for a change by a session without its CSRF token."""
    try:
        SessionAuthentication().enforce_csrf(request)
    except PermissionDenied:
        raise Refusal(403, "Send the CSRF token of your session: X-CSRFToken.") from None


def _search(request: HttpRequest) -> Answer:
    query = [(name, value) for name, value in views.query(request) if name != "_format"]
    if [name for name, _ in query] == ["_cursor"]:
        return Interaction("search-type", "Consent", cursor=query[0][1]), consent_reads.search
    for name, value in query:
        _check(name, value)
    count = int(dict(query).get("_count", DEFAULT_PAGE))
    params = tuple((name, value) for name, value in query if name != "_count")
    return Interaction("search-type", "Consent", params=params, count=count), consent_reads.search


def _check(name: str, value: str) -> None:
    """Before anything is looked at. Raises Refusal for a parameter or a value that is not served."""
    if name not in (*SEARCHED, "_count"):
        raise Refusal(400, f"The search parameters served for Consent are {', '.join(SEARCHED)}.")
    if len(value) > LONGEST_VALUE or "\x00" in value:
        raise Refusal(400, f"The value of {name} is too long, or has a character that none has.")
    if name == "_count" and not (COUNT.fullmatch(value) and 0 < int(value) <= LARGEST_PAGE):
        raise Refusal(400, f"_count takes a number from 1 to {LARGEST_PAGE}.")
    if name in consent_reads.FILTERS:
        consent_reads.condition(name, value)


def _read(request: HttpRequest, consent_id: str) -> Answer:
    _refuse_query(request)
    return Interaction("read", "Consent", consent_id), consent_reads.read


def _history(request: HttpRequest, consent_id: str) -> Answer:
    _refuse_query(request)
    return Interaction("history-instance", "Consent", consent_id), consent_reads.history


def _vread(request: HttpRequest, consent_id: str, version: str) -> Answer:
    _refuse_query(request)
    if not NUMBER.fullmatch(version):
        raise Refusal(404, NOT_SERVED)
    return Interaction("vread", "Consent", consent_id, version), consent_reads.vread


def _create(request: HttpRequest) -> Answer:
    _refuse_query(request)
    if "If-None-Exist" in request.headers:
        raise Refusal(400, "A conditional create is not served: search, and then create.")
    return Interaction("create", "Consent"), partial(consent_changes.create, resource=_resource(request))


def _update(request: HttpRequest, consent_id: str) -> Answer:
    _refuse_query(request)
    seen = request.headers.get("If-Match")
    if seen is None:
        raise Refusal(428, 'Say which version you saw: If-Match: W/"1".')
    match = ETAG.fullmatch(seen.strip())
    if match is None:
        raise Refusal(400, 'If-Match takes one version: W/"1".')
    resource = _resource(request)
    if resource.get("id") != consent_id:
        raise Refusal(400, "The id in the resource is the one in the address.")
    answer = partial(consent_changes.update, resource=resource, number=int(match[1]))
    return Interaction("update", "Consent", consent_id), answer


def _refuse_query(request: HttpRequest) -> None:
    if set(request.GET) - {"_format"}:
        raise Refusal(400, "Nothing but _format can be added to this address.")


def _resource(request: HttpRequest) -> dict[str, Any]:
    resource = json_object(views.json_of(request))
    if resource.get("resourceType") != "Consent":
        raise Refusal(400, "A Consent is taken here.")
    return resource


def json_object(body: bytes, largest: int = LARGEST) -> dict[str, Any]:
    """A body as JSON that the database can keep: whole Unicode, and numbers that are exact (RFC 8785)."""
    if len(body) > largest:
        raise Refusal(413, f"It is larger than {largest} bytes.")
    try:
        value = json.loads(body)
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is no JSON, or has what JSON cannot carry safely.") from None
    if not isinstance(value, dict) or b"\\u0000" in canonical:
        raise Refusal(400, "The body is no JSON object, or has a character that none has.")
    return value


type_level = _view(GET=_search, POST=_create)
search = _view(POST=_search)
instance = _view(GET=_read, PUT=_update)
history = _view(GET=_history)
version = _view(GET=_vread)
