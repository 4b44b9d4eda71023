"""Token, revocation, introspection and userinfo endpoints. A body tells all; the URL nothing."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from smart import (
    assertions,
    authorizations,
    dpop,
    exchange,
    identity,
    launches,
    par,
    requests,
    rotation,
    secrets,
    tokens,
)
from smart.jwts import BadToken
from smart.models import AccessToken, Client, RefreshToken
from smart.server import NO_STORE, core, error, fault_of_body, named_client, oauth_request, shown_secret

log = structlog.get_logger()
View = Callable[[HttpRequest], HttpResponse]

NAMED = "SELECT * FROM smart_client WHERE client_id = %s"  # Django would need longer to write it
CHALLENGE = {"WWW-Authenticate": 'Basic realm="clients"'}
JSON = {"Content-Type": "application/json"}  # the toolkit leaves it out of some errors
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", exchange.GRANT_TYPE)

MAY_REPEAT = frozenset({"resource", "audience"})  # RFC 8707, 2; RFC 8693, 2.1


def endpoint(view: View) -> View:
    """What a client posts to. It is read, its keys are at hand, and its own pages may read the answer."""

    @csrf_exempt
    @require_POST
    @sensitive_post_parameters()
    @wraps(view)
    def handle(request: HttpRequest) -> HttpResponse:
        if fault := fault_of_body(request):
            return fault
        name = named_client(request)
        client = next(iter(Client.objects.raw(NAMED, [name])), None) if name and "\x00" not in name else None
        if name and not _may_go_on(client, shown_secret(request)):
            return _nobody()  # before anything costs more (P13)
        request.META[rotation.ARRIVED] = timezone.now()
        request.cors_client, request.META[assertions.NAMED] = name, client  # type: ignore[attr-defined]
        if assertion := request.POST.get("client_assertion"):
            assertions.prepare(assertion, client)  # it may fetch, so before a transaction is open
        return view(request)

    return handle


def _may_go_on(client: Client | None, secret: str) -> bool:
    """False for who is not there, is out, or shows a wrong secret: one look and one hash for each (A22)."""
    proved = not secret or secrets.is_right(secret, client.client_secret if client else "")
    if client is None or not client.is_usable(None):
        return False
    return proved or client.client_type == Client.CLIENT_PUBLIC


@endpoint
def token(request: HttpRequest) -> HttpResponse:
    """RFC 6749, 3.2; with a proof of the client's key or of its own, RFC 7523 and RFC 9449."""
    if any(len(values) > 1 for name, values in request.POST.lists() if name not in MAY_REPEAT):
        return error("invalid_request", "A parameter stands there twice.")
    grant_type = request.POST.get("grant_type", "")
    if not grant_type:
        return error("invalid_request", "grant_type is missing.")
    if grant_type not in GRANT_TYPES:  # G11: no device grant
        return error("unsupported_grant_type")
    return _token(request)


@transaction.atomic
def _token(request: HttpRequest) -> HttpResponse:
    """What is locked while a code or token is honoured stays locked to the end (G4)."""
    if fault := _proof(request):
        return fault
    _, headers, body, status = core().create_token_response(request)
    if status != 200:
        log.info("token_refused", status=status)
    if status == 401:
        return _nobody()
    return HttpResponse(body, status=status, headers=JSON | headers | NO_STORE)


def _nobody() -> JsonResponse:
    """One answer, to the byte, whether a client is not there, is out, or did not prove itself (A22)."""
    return error("invalid_client", status=401, **CHALLENGE)


def _proof(request: HttpRequest) -> JsonResponse | None:
    """Note whose key was shown; an answer where the proof is bad."""
    try:
        request.META[dpop.KEY] = dpop.at_endpoint(request)
    except BadToken as bad:
        return error("invalid_dpop_proof", f"The proof is not taken: {bad}.")
    return None


@endpoint
def push(request: HttpRequest) -> HttpResponse:
    """RFC 9126, 2: a client proves itself and hands over an authorization request, checked here and now."""
    return _push(request)


@transaction.atomic
def _push(request: HttpRequest) -> HttpResponse:
    if fault := _proof(request):
        return fault
    client = authenticated(request)
    if client is None:
        return _nobody()
    parameters = {k: str(v) for k, v in request.POST.items() if k not in par.CREDENTIALS}
    jkt = request.META[dpop.KEY]
    if client.dpop_bound_access_tokens and not (jkt or "dpop_jkt" in parameters):
        return error("invalid_dpop_proof", dpop.NEEDED)
    if "request_uri" in parameters or request.GET or any(len(v) > 1 for _, v in request.POST.lists()):
        return error(
            "invalid_request", "Each parameter stands in the body, once, and request_uri not at all."
        )
    if "redirect_uri" not in parameters:
        return error("invalid_request", "redirect_uri is missing.")
    if parameters.get("dpop_jkt", jkt) != (jkt or parameters.get("dpop_jkt", "")):
        return error("invalid_dpop_proof", "dpop_jkt is of another key.")
    if parameters.setdefault("client_id", client.client_id) != client.client_id:
        return error("invalid_request", "client_id is of another client.")
    par.put(request, {name: value for name, value in parameters.items() if name != "prompt"})
    if wrong := requests.fault_of_pushed(request):
        return error(wrong.error, wrong.description or "")
    uri, seconds = par.keep(client, parameters, jkt or parameters.get("dpop_jkt", ""))
    return JsonResponse({"request_uri": uri, "expires_in": seconds}, status=201, headers=NO_STORE)


@endpoint
def revoke(request: HttpRequest) -> HttpResponse:
    """RFC 7009: 200 for a token that is not, or not the caller's, too."""
    return _revoke(request)


@transaction.atomic
def _revoke(request: HttpRequest) -> HttpResponse:
    _, headers, body, status = core().create_revocation_response(request)
    if status == 401:
        return _nobody()
    return HttpResponse(body or "", status=status, headers=JSON | headers | NO_STORE)


@endpoint
def introspect(request: HttpRequest) -> HttpResponse:
    """RFC 7662 and SMART 2.2: a confidential client asks about a token of its own, a resource server of any.

    Anything else, be it unknown, ended or another client's, is `{"active": false}` and no more.
    """
    client = authenticated(request)
    if client is None or client.client_type != Client.CLIENT_CONFIDENTIAL:
        return _nobody()
    value = request.POST.get("token", "")
    if not value:
        return error("invalid_request", "Missing token parameter.")
    if client.is_resource_server:
        found = tokens.find(value) or tokens.find_refresh(value)
    else:
        found = tokens.find_of(client, value)
    if found is None or not tokens.is_active(found):
        return JsonResponse({"active": False}, headers=NO_STORE)
    return JsonResponse(_facts(found), headers=NO_STORE)


def authenticated(request: HttpRequest) -> Client | None:
    """The client that proved itself, or a public one that gave its name; None for any other."""
    asked = oauth_request(request)
    validator = core().server.request_validator
    if validator.client_authentication_required(asked):
        return asked.client if validator.authenticate_client(asked) else None
    return asked.client if validator.authenticate_client_id(asked.client_id, asked) else None


def _facts(found: AccessToken | RefreshToken) -> dict[str, Any]:
    expires = found.expires if isinstance(found, AccessToken) else found.expires_at
    facts: dict[str, Any] = {
        "active": True,
        "scope": found.scope,
        "client_id": found.application.client_id,
        "exp": int(expires.timestamp()) if expires else None,
        "iat": int(found.created.timestamp()),
        "token_type": _type_of(found),
    }
    if found.authorization_id:
        facts["grant_id"] = str(found.authorization_id)
    if found.jkt:
        facts["cnf"] = {"jkt": found.jkt}
    if found.authenticated_at:  # RFC 9470, 6.2
        signed_in = launches.sign_in_of(found.token_family)
        facts["auth_time"] = identity.seconds(found.authenticated_at)
        facts |= {"acr": signed_in.acr} if signed_in and signed_in.acr else {}
    if isinstance(found, AccessToken) and found.act:
        facts["act"] = found.act
    if found.patient:
        facts["patient"] = authorizations.fhir_id_of(found.patient)
    if "openid" in found.scope.split() and found.user:
        facts |= {"iss": settings.OAUTH2_PROVIDER["OIDC_ISS_ENDPOINT"], "sub": str(found.user_id)}
        if "fhirUser" in found.scope.split():
            facts["fhirUser"] = identity.fhir_user_of(found.user, found.patient, found.authorization_id)
    return facts | found.launch


def _type_of(found: AccessToken | RefreshToken) -> str:
    if isinstance(found, RefreshToken):
        return "refresh_token"
    return "DPoP" if found.jkt else "Bearer"


@csrf_exempt
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    """OIDC Core 5.3. The access token comes in the Authorization header and nowhere else (RFC 9700 4.3.2)."""
    if fault := fault_of_body(request):
        return fault
    if "access_token" in request.GET:
        return error("invalid_request")
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "dpop"):
        return error("invalid_token", status=401, **{"WWW-Authenticate": "Bearer"})
    found = tokens.find(value)
    if found:
        request.cors_client = found.application.client_id  # type: ignore[attr-defined]
    try:
        dpop.check_binding(request, scheme, value, found.jkt if found else "")
    except BadToken as bad:
        return error(dpop.error_of(bad), status=401, **{"WWW-Authenticate": dpop.challenge(bad)})
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {value}"
    _, headers, body, status = core().create_userinfo_response(request)
    return HttpResponse(body or "", status=status, headers=JSON | headers | NO_STORE)
