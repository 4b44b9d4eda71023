"""Token, revocation, introspection and userinfo endpoints. A body tells all; the URL nothing."""

from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from smart import authorizations, tokens
from smart.models import AccessToken, Client, RefreshToken
from smart.server import NO_STORE, core, error, is_readable, oauth_request

log = structlog.get_logger()

JSON = {"Content-Type": "application/json"}  # the toolkit leaves it out of some errors
GRANT_TYPES = ("authorization_code", "refresh_token")


@csrf_exempt
@require_POST
@sensitive_post_parameters()
@transaction.atomic
def token(request: HttpRequest) -> HttpResponse:
    """RFC 6749, 3.2. What is locked while a code or token is honoured stays locked to the end (G4)."""
    if not is_readable(request):
        return error("invalid_request")
    if request.POST.get("grant_type", GRANT_TYPES[0]) not in GRANT_TYPES:  # G11: no device grant
        return error("unsupported_grant_type")
    _, headers, body, status = core().create_token_response(request)
    if status != 200:
        log.info("token_refused", status=status)
    return HttpResponse(body, status=status, headers=JSON | headers | NO_STORE)


@csrf_exempt
@require_POST
@sensitive_post_parameters()
@transaction.atomic
def revoke(request: HttpRequest) -> HttpResponse:
    """RFC 7009: 200 for a token that is not, or not the caller's, too."""
    if not is_readable(request):
        return error("invalid_request")
    _, headers, body, status = core().create_revocation_response(request)
    return HttpResponse(body or "", status=status, headers=JSON | headers | NO_STORE)


@csrf_exempt
@require_POST
@sensitive_post_parameters()
def introspect(request: HttpRequest) -> HttpResponse:
    """RFC 7662 and SMART 2.2: a confidential client asks about a token of its own.

    Anything else, be it unknown, ended or another client's, is `{"active": false}` and no more.
    """
    if not is_readable(request):
        return error("invalid_request")
    client = _confidential(request)
    if client is None:
        return error("invalid_client", status=401, **{"WWW-Authenticate": 'Basic realm="introspect"'})
    value = request.POST.get("token", "")
    if not value:
        return error("invalid_request", "Missing token parameter.")
    found = tokens.find(value) or tokens.find_refresh(value)
    if found is None or found.application_id != client.pk or not tokens.is_active(found):
        return JsonResponse({"active": False}, headers=NO_STORE)
    return JsonResponse(_facts(found), headers=NO_STORE)


def _confidential(request: HttpRequest) -> Client | None:
    asked = oauth_request(request)
    if not core().server.request_validator.authenticate_client(asked):
        return None
    return asked.client if asked.client.client_type == Client.CLIENT_CONFIDENTIAL else None


def _facts(found: AccessToken | RefreshToken) -> dict[str, Any]:
    expires = found.expires if isinstance(found, AccessToken) else found.expires_at
    facts: dict[str, Any] = {
        "active": True,
        "scope": found.scope,
        "client_id": found.application.client_id,
        "exp": int(expires.timestamp()) if expires else None,
        "iat": int(found.created.timestamp()),
        "token_type": "Bearer" if isinstance(found, AccessToken) else "refresh_token",
    }
    if found.patient:
        facts["patient"] = authorizations.fhir_id_of(found.patient)
    if "openid" in found.scope.split() and found.user:
        facts |= {"iss": settings.OAUTH2_PROVIDER["OIDC_ISS_ENDPOINT"], "sub": str(found.user_id)}
        if "fhirUser" in found.scope.split() and (person := authorizations.fhir_user_of(found.user)):
            facts["fhirUser"] = person
    return facts | found.launch


@csrf_exempt
@require_http_methods(["GET", "POST"])
def userinfo(request: HttpRequest) -> HttpResponse:
    """OIDC Core 5.3. The access token comes in the Authorization header and nowhere else (RFC 9700 4.3.2)."""
    if not is_readable(request) or "access_token" in request.GET:
        return error("invalid_request")
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return error("invalid_token", status=401, **{"WWW-Authenticate": "Bearer"})
    _, headers, body, status = core().create_userinfo_response(request)
    return HttpResponse(body or "", status=status, headers=JSON | headers | NO_STORE)
