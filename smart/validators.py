"""What oauthlib asks at each step of the protocol, answered as SMART App Launch 2.2 wants it.

The toolkit's validator does the plain OAuth part; here stands what it leaves open. The
letters G1 to G11 are traps of the toolkit, told in docs/smart.md and tried in tests/smart.
"""

from datetime import datetime
from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from smart import scopes, tokens
from smart.authorizations import Authorization
from smart.models import Client, Grant
from smart.validating_clients import Clients
from smart.validating_grants import Grants
from smart.validating_tokens import Identity, Tokens


class SmartValidator(Clients, Grants, Tokens, Identity):
    """One instance serves all requests: what belongs to a request stands on `request`.

    `request.smart_source` is the row that the tokens come from: a Grant or a RefreshToken.
    """

    oidc_claim_scope = OAuth2Validator.oidc_claim_scope | {"fhirUser": "fhirUser"}

    def is_origin_allowed(self, client_id: str, origin: str, request: Request, *a: Any, **kw: Any) -> bool:
        return False  # `smart.cors` says it, of errors and preflights too

    # The authorization request

    def validate_response_type(
        self, client_id: str, response_type: str, client: Client, request: Request, *args: Any, **kw: Any
    ) -> bool:
        """No client gets anything but a code here, so that is what is wrong (RFC 6749, 4.1.2.1)."""
        if response_type != "code":
            raise errors.UnsupportedResponseTypeError(request=request)
        return bool(super().validate_response_type(client_id, response_type, client, request, *args, **kw))

    def validate_scopes(
        self, client_id: str, scopes_: list[str], client: Client, request: Request, *args: Any, **kw: Any
    ) -> bool:
        """Parts that we do not know drop out of the request; only if nothing is left it fails."""
        if request.grant_type == "client_credentials":
            request.scopes = scopes.of_system(scopes_, most=client.scope)
            return bool(request.scopes)
        request.scopes = scopes.requestable(scopes_, most=client.scope)
        return bool(request.scopes)

    def validate_silent_login(self, request: Request) -> bool:
        return True  # the view knows who is signed in, and says login_required itself

    def validate_silent_authorization(self, request: Request) -> bool:
        return False  # G2: nothing is ever shared without asking; the app gets consent_required

    def _create_authorization_code(
        self, request: Request, code: dict[str, str], expires: datetime | None = None
    ) -> Grant:
        """Only what a person said yes to becomes a code: `smart_ctx` is put there by the consent page, and
        so is the code itself. Its hash is all that is kept."""
        given: Authorization = request.smart_ctx
        code["code"] = request.smart_code
        grant: Grant = super()._create_authorization_code(
            request, code | {"code": tokens.checksum(request.smart_code)}, expires
        )
        grant.authorization_id = given.id
        grant.patient = given.patient
        grant.ends_at = given.ends_at
        grant.authenticated_at = given.authenticated_at
        grant.launch = given.launch
        grant.jkt = getattr(request, "smart_jkt", None) or ""
        grant.save()
        return grant

    # Bearers

    def validate_bearer_token(self, token: str, scopes_: list[str], request: Request) -> bool:
        """For the endpoints of this room; the FHIR gate loads all it needs in one statement of its own."""
        return super().validate_bearer_token(token, scopes_, request) and tokens.is_active(
            request.access_token
        )

    def validate_jwt_bearer_token(self, token: str, scopes_: list[str], request: Request) -> bool:
        return False  # G1: an id_token tells who someone is and opens nothing
