"""What a client must know before it can begin, as four documents that say the same.

SMART App Launch 2.2 (smart-configuration), OpenID Connect Discovery 1.0, RFC 8414 and
RFC 9728. All URLs are built on BASE_URL, never on what a request says of itself.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from oauth2_provider.settings import oauth2_settings

from smart import assertions, dpop, exchange, identity, registration
from smart.scopes import ScopesBackend

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-standalone-patient",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-banner",
    "context-style",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name", "fhirUser")
NOTHING: Mapping[str, object] = MappingProxyType({})
CACHED = {"Cache-Control": "public, max-age=300"}


@require_safe
def smart_configuration(request: HttpRequest, more: Mapping[str, object] = NOTHING) -> JsonResponse:
    """`[FHIR base]/.well-known/smart-configuration`, JSON whatever Accept says.

    `more` is what only the room of the FHIR bases knows.
    """
    return JsonResponse(
        _server()
        | {
            "jwks_uri": _at("/.well-known/jwks.json"),
            "management_endpoint": _at("/apps/"),
            "capabilities": CAPABILITIES,
            **more,
        },
        headers=CACHED,
    )


@require_safe
def openid_configuration(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        _server()
        | {
            "jwks_uri": _at("/.well-known/jwks.json"),
            "userinfo_endpoint": _at("/o/userinfo/"),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": identity.ALGORITHMS,
            "acr_values_supported": identity.ACR_VALUES,
            "claims_supported": CLAIMS,
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        },
        headers=CACHED,
    )


@require_safe
def authorization_server(request: HttpRequest) -> JsonResponse:
    """RFC 8414."""
    return JsonResponse(_server() | {"jwks_uri": _at("/.well-known/jwks.json")}, headers=CACHED)


@require_safe
def protected_resource(request: HttpRequest, base: str = "") -> JsonResponse:
    """RFC 9728: a FHIR base (the primary one, if none is said), and who gives tokens for it."""
    return JsonResponse(
        {
            "resource": base or settings.FHIR_BASE_URL,
            "authorization_servers": [_issuer()],
            "scopes_supported": ScopesBackend().get_available_scopes(),
            "bearer_methods_supported": ["header"],
        },
        headers=CACHED,
    )


@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    """RFC 7517: the keys that sign id_tokens, and retired ones that old id_tokens still need."""
    return JsonResponse({"keys": identity.published_keys()}, headers=CACHED)


def oauth_uris() -> dict[str, str]:
    """Endpoints by the names of the CapabilityStatement's oauth-uris extension, which
    clients older than smart-configuration look for (fhirclient does)."""
    return {
        "authorize": _at("/o/authorize/"),
        "token": _at("/o/token/"),
        "introspect": _at("/o/introspect/"),
        "revoke": _at("/o/revoke_token/"),
        "manage": _at("/apps/"),
    }


def _server() -> dict[str, Any]:
    """What all but the resource's document share."""
    authentication = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
    return {
        **({"registration_endpoint": _at("/o/register/")} if registration.is_on() else {}),
        "issuer": _issuer(),
        "authorization_endpoint": _at("/o/authorize/"),
        "token_endpoint": _at("/o/token/"),
        "revocation_endpoint": _at("/o/revoke_token/"),
        "introspection_endpoint": _at("/o/introspect/"),
        "pushed_authorization_request_endpoint": _at("/o/par/"),
        "end_session_endpoint": _at("/o/logout/"),
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            exchange.GRANT_TYPE,
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": ScopesBackend().get_available_scopes(),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": authentication,
        "revocation_endpoint_auth_methods_supported": authentication,
        "introspection_endpoint_auth_methods_supported": authentication[1:],
        "token_endpoint_auth_signing_alg_values_supported": assertions.ALGORITHMS,
        "dpop_signing_alg_values_supported": dpop.ALGORITHMS,
        "authorization_response_iss_parameter_supported": True,
    }


def _issuer() -> str:
    return str(oauth2_settings.OIDC_ISS_ENDPOINT)


def _at(path: str) -> str:
    return f"{settings.BASE_URL}{path}"
