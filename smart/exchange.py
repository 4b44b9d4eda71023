"""Token exchange (RFC 8693): a service of ours gets a lesser token for one task.

The new token is the subject's in all but scope, end and `act`: the same authorization, patient,
client and family stand behind it, so whatever ends the first ends the second.
"""

import json
from typing import Any

from django.utils import timezone
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors, utils
from oauthlib.oauth2.rfc6749.grant_types.base import GrantTypeBase

from smart import authorizations, scopes, tokens
from smart.models import AccessToken

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
LONGEST = 300  # seconds
DEEPEST = 3  # services, one for the other


class TokenExchange(GrantTypeBase):
    """`subject_token` is an access token of ours; the service itself is the actor, by its own proof."""

    def create_token_response(self, request: Request, token_handler: Any) -> tuple[dict[str, str], str, int]:
        headers = self._get_default_headers()
        try:
            subject = self._subject(request)
            request.scopes = _narrowed(request, subject)
            request.smart_subject = subject
            token = token_handler.create_token(request, refresh_token=False)
            left = int((subject.expires - timezone.now()).total_seconds())
            token["expires_in"] = min(left, LONGEST)
            if left <= 0:
                raise errors.InvalidRequestError("the subject token has ended", request=request)
        except errors.OAuth2Error as error:
            return headers | error.headers, error.json, error.status_code
        self.request_validator.save_token(token, request)
        return headers, json.dumps(token | {"issued_token_type": ACCESS_TOKEN}), 200

    def _subject(self, request: Request) -> AccessToken:
        if not self.request_validator.authenticate_client(request):
            raise errors.InvalidClientError(request=request)
        if not request.client.is_internal:
            raise errors.UnauthorizedClientError(request=request)
        if request.duplicate_params:
            raise errors.InvalidRequestError("a parameter stands there twice", request=request)
        said = {name: getattr(request, name, None) for name in ("subject_token", "subject_token_type")}
        wanted = getattr(request, "requested_token_type", None) or ACCESS_TOKEN
        if said["subject_token_type"] != ACCESS_TOKEN or wanted != ACCESS_TOKEN:
            raise errors.InvalidRequestError("access tokens are exchanged, and nothing else", request=request)
        audience = getattr(request, "audience", None)
        if audience and not authorizations.is_base(str(audience)):
            raise errors.CustomOAuth2Error("invalid_target", status_code=400, request=request)
        if getattr(request, "actor_token", None):
            raise errors.InvalidRequestError("the actor is the client that asks", request=request)
        found = tokens.find(said["subject_token"] or "")
        if found is None or not tokens.is_active(found) or _depth(found.act) >= DEEPEST:
            raise errors.InvalidRequestError("the subject token is not one that holds", request=request)
        return found


def _narrowed(request: Request, subject: AccessToken) -> list[str]:
    held = subject.scope.split()
    wanted: list[str] = utils.scope_to_list(request.scope) or held
    if not scopes.is_within(wanted, held):
        raise errors.InvalidScopeError(request=request)
    return [scope for scope in wanted if scope not in ("offline_access", "online_access")]


def _depth(act: dict[str, Any]) -> int:
    return 1 + _depth(act.get("act") or {}) if act else 0
