"""Who a client is, and what it may ask for at the token endpoint: a part of `smart.validators`."""

from typing import Any

import structlog
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from audit import context
from smart import assertions, dpop, tokens
from smart.jwts import BadToken
from smart.models import Client

NAMED = assertions.NAMED
log = structlog.get_logger("chartkey.oauth")


class Clients(OAuth2Validator):
    def _load_application(self, client_id: str, request: Request) -> Client | None:
        """The one that the view has read; the toolkit would read it for each question."""
        named: Client | None = request.headers.get(NAMED)
        if request.client is None and named and named.client_id == client_id and named.is_usable(request):
            request.client = named
        return super()._load_application(client_id, request)

    def client_authentication_required(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        is_named = request.client_id or request.headers.get(NAMED)
        if request.grant_type == "refresh_token" and not is_named:
            # RFC 6749, 6 asks public clients for no client_id, and npm's fhirclient sends none.
            found = tokens.find_refresh(request.refresh_token or "")
            if found and found.application.client_type == Client.CLIENT_PUBLIC:
                request.client, request.client_id = found.application, found.application.client_id
        return _asserts(request) or bool(super().client_authentication_required(request, *args, **kwargs))

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        """One proof and no other: a client that registered keys has no secret that could be guessed."""
        if _asserts(request):
            method, proved = "private_key_jwt", self._authenticate_assertion(request)
        else:
            method, proved = "client_secret", bool(super().authenticate_client(request, *args, **kwargs))
            proved = proved and not request.client.signs_assertions and self._came_as_registered(request)
        if proved:
            context.present(context.Credential(assurance="client", methods=[method]))
        return proved

    def _came_as_registered(self, request: Request) -> bool:
        """A secret in the header or in the body, where the client said which (RFC 7591, 2)."""
        came = "client_secret_basic" if self._extract_basic_auth(request) else "client_secret_post"
        return request.client.token_endpoint_auth_method in ("", came)

    def _authenticate_assertion(self, request: Request) -> bool:
        assertion = getattr(request, "client_assertion", None) or ""
        secret = self._extract_basic_auth(request) or getattr(request, "client_secret", None)
        if getattr(request, "client_assertion_type", None) != assertions.TYPE or secret:
            return False
        client = assertions.client_of(assertion, request.client_id, request.headers.get(NAMED))
        if client is None or not client.is_usable(request) or not client.signs_assertions:
            return False
        try:
            assertions.check(assertion, client)
        except BadToken as error:
            log.info("assertion_refused", client_id=client.client_id, reason=str(error))
            return False
        request.client, request.client_id = client, client.client_id
        return True

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Client, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """A backend service signs, and was approved. Who declared a key shows it (RFC 9449, 5.2)."""
        if client.dpop_bound_access_tokens and not dpop.jkt_of(request):
            raise errors.CustomOAuth2Error(
                "invalid_dpop_proof", dpop.NEEDED, status_code=400, request=request
            )
        if grant_type == "client_credentials" and not (
            client.signs_assertions and client.is_approved_service
        ):
            return False
        return bool(super().validate_grant_type(client_id, grant_type, client, request, *args, **kwargs))


def _asserts(request: Request) -> bool:
    names = ("client_assertion", "client_assertion_type")
    return any(getattr(request, name, None) for name in names)
