"""Dynamic client registration (RFC 7591) and its management (RFC 7592), where the site turned them on."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from smart import commands, jwts, metadata, registration, secrets
from smart.commands import InvalidClient
from smart.models import Client
from smart.server import NO_STORE, error
from smart.states import Act, WrongState

LARGEST = 64 * 1024  # bytes of a body
# What a client must not say when it changes itself (RFC 7592, 2.2), besides a secret of its own choice.
NOT_ITS_OWN = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


def where_on(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A site that did not turn it on has no such address, whatever the method."""

    @wraps(view)
    def guarded(request: HttpRequest, **more: str) -> HttpResponse:
        if not registration.is_on():
            raise Http404
        return view(request, **more)

    return guarded


@csrf_exempt
@where_on
@require_POST
def register(request: HttpRequest) -> HttpResponse:
    """RFC 7591, 3.1."""
    credential = ""
    if settings.DYNAMIC_REGISTRATION == registration.TOKEN:
        credential = registration.credential_of_token(_bearer(request))
        if not credential:
            return _unauthorized(request)
    said = _body(request)
    if said is None:
        return error("invalid_client_metadata", "The body is one JSON object.")
    try:
        if settings.DYNAMIC_REGISTRATION == registration.STATEMENT:
            said, credential = registration.with_statement(said)
        if registration.is_too_much(credential):
            return error("temporarily_unavailable", "Try again in an hour.", 429, **{"Retry-After": "3600"})
        return _registered(said, credential)
    except (registration.BadStatement, InvalidClient) as wrong:
        return error(wrong.code, str(wrong))


@transaction.atomic
def _registered(said: dict[str, Any], credential: str) -> HttpResponse:
    client, secret = commands.register_app(said, by=None, credential=credential)
    token = commands.new_management_token(client)
    statement = said.get("software_statement")
    as_it_came = {"software_statement": statement} if credential and statement else {}
    return _told(client, token, secret, 201, as_it_came)


@csrf_exempt
@where_on
@require_http_methods(["GET", "PUT", "DELETE"])
def manage(request: HttpRequest, client_id: str) -> HttpResponse:
    """RFC 7592, 2. Whoever holds no token of a client that is, learns nothing but 401."""
    token = _bearer(request)
    client = registration.managed(client_id, token)
    if client is None:
        return _unauthorized(request)
    try:
        if request.method == "PUT":
            return _changed(request, client, token)
        if request.method == "DELETE":
            commands.move(client, Act.REMOVE, by=None)
            return HttpResponse(status=204, headers=NO_STORE)
    except InvalidClient as wrong:
        return error(wrong.code, str(wrong))
    except WrongState:
        return error("access_denied", "This client was put out.", 403)
    return _told(client, token, "", 200)


def _changed(request: HttpRequest, client: Client, token: str) -> HttpResponse:
    said = _body(request)
    if said is None or said.get("client_id") != client.client_id:
        return error("invalid_client_metadata", "The body is one JSON object with the client's client_id.")
    if any(name in said for name in NOT_ITS_OWN):
        return error("invalid_client_metadata", f"None of {', '.join(NOT_ITS_OWN)} is the client's to say.")
    if "client_secret" in said and not _is_its_secret(client, said["client_secret"]):
        return error("invalid_client_metadata", "client_secret is another than the client's.")
    client, secret = commands.change_client(client, said, by=None)
    return _told(client, token, secret, 200)


def _is_its_secret(client: Client, value: object) -> bool:
    return isinstance(value, str) and secrets.is_right(value, client.client_secret)


def _told(
    client: Client, token: str, secret: str, status: int, more: dict[str, Any] | None = None
) -> JsonResponse:
    """RFC 7591, 3.2.1 and RFC 7592, 3. The secret is told once: we keep its hash."""
    told = {
        "client_id": client.client_id,
        "client_id_issued_at": int(client.created.timestamp()),
        **metadata.said_by(client),
        "registration_access_token": token,
        "registration_client_uri": f"{settings.BASE_URL}/o/register/{client.client_id}/",
        **(more or {}),
    }
    if commands.needs_secret(client):
        told["client_secret_expires_at"] = 0  # never
    if secret:
        told["client_secret"] = secret
    return JsonResponse(told, status=status, headers=NO_STORE)


def _bearer(request: HttpRequest) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(request: HttpRequest) -> JsonResponse:
    """RFC 6750, 3.1: no error code for who brought no token."""
    challenge = 'Bearer realm="registration"'
    if "Authorization" in request.headers:
        challenge += ', error="invalid_token"'
    return error("invalid_token", status=401, **{"WWW-Authenticate": challenge})


def _body(request: HttpRequest) -> dict[str, Any] | None:
    """One JSON object; None for anything else. A media type that is no JSON is not read (RFC 7591, 3.1)."""
    if request.content_type != "application/json" or len(request.body) > LARGEST:
        return None
    try:
        said = jwts.read_json(request.body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
