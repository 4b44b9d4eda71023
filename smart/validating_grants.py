"""A code or a refresh token against what it was given for: a part of `smart.validators`."""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request

from smart import authorizations, launches, rotation, scopes, tokens, trail
from smart.dpop import jkt_of
from smart.models import Client, Grant, RefreshToken

CODE_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636, 4.1
REPLAYED = "token.replayed"


class Grants(OAuth2Validator):
    def get_authorization_code_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        """Which of oauthlib's two handlers takes a code. That of OpenID Connect takes any, and looks at the
        scopes once the client has proved itself; to look at them before would be a look for strangers."""
        return ["openid"]

    def validate_code(
        self, client_id: str, code: str, client: Client, request: Request, *a: Any, **kw: Any
    ) -> bool:
        """G4: the row stays locked until the tokens are written, so one code gives one set of tokens."""
        grants = Grant.objects.select_for_update().filter(code=tokens.checksum(code), application=client)
        grant = grants.first()
        if grant is None:
            return False
        if reason := _why_refused(grant, request):
            if reason == REPLAYED:  # G5, RFC 6749 4.1.2: what the code gave ends
                RefreshToken.revoke_family(grant.token_family)
            trail.refused(grant, reason)
            return False
        request.user, request.scopes = grant.user, grant.scope.split()
        request.nonce = grant.nonce or None
        request.smart_source = grant
        return True

    # The toolkit would look for the code itself, once for each of these.

    def confirm_redirect_uri(
        self,
        client_id: str,
        code: str,
        redirect_uri: str,
        client: Client,
        request: Request,
        *a: Any,
        **kw: Any,
    ) -> bool:
        return bool(request.smart_source.redirect_uri == redirect_uri)

    def get_code_challenge(self, code: str, request: Request) -> str | None:
        return request.smart_source.code_challenge or None

    def get_code_challenge_method(self, code: str, request: Request) -> str | None:
        return request.smart_source.code_challenge_method or None

    def get_authorization_code_nonce(
        self, client_id: str, code: str, redirect_uri: str, request: Request
    ) -> str | None:
        return request.smart_source.nonce or None

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the row, so that a second use can be told from a code that never was (G5)."""
        Grant.objects.filter(pk=request.smart_source.pk).update(consumed_at=timezone.now())

    # Refresh

    def validate_refresh_token(
        self, refresh_token: str, client: Client, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        """A rotated token that comes back ends its family, and the log hears of it.

        The row stays locked until the new tokens are written. Of refreshes that run side by
        side the first wins, and the others are refused without that being taken for theft (G3).
        """
        found = tokens.lock_refresh(refresh_token, client)
        if found is None:
            if raced := tokens.find_refresh(refresh_token):  # another holds it at this moment
                trail.refused(raced, "token.raced")
            return False
        if reason := _why_not_refreshed(found, client, request):
            trail.refused(found, reason)
            return False
        request.user, request.smart_source = found.user, found
        return True

    def get_original_scopes(self, refresh_token: str, request: Request, *args: Any, **kwargs: Any) -> str:
        """As granted at first: narrowing at one refresh is for the access token of that refresh."""
        return request.smart_source.scope

    def is_within_original_scope(
        self, request_scopes: Iterable[str], refresh_token: str, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return scopes.is_within(request_scopes, request.smart_source.scope.split())

    def refresh_id_token(self, request: Request) -> bool:
        return False  # who signed in was said once, with the code (OIDC Core 12.2 leaves it open)


def _why_refused(grant: Grant, request: Request) -> str:
    """Why a code is not honoured, empty if it is. A missing verifier is oauthlib's to refuse."""
    verifier = request.code_verifier
    if grant.consumed_at is not None:
        return REPLAYED
    if grant.is_expired():
        return "code.expired"
    if not grant.user.is_active:
        return "account.closed"
    if request.redirect_uri != grant.redirect_uri:
        return "redirect.mismatch"
    if verifier is not None and not (
        CODE_VERIFIER.fullmatch(verifier) and _s256(verifier) == grant.code_challenge
    ):
        return "pkce.mismatch"
    if grant.jkt and grant.jkt != jkt_of(request):
        return "proof.mismatch"
    if not authorizations.is_in_force(grant.authorization_id):
        return "authorization.ended"
    return ""


def _why_not_refreshed(found: RefreshToken, client: Client, request: Request) -> str:
    """Why a refresh token is not honoured, empty if it is. One that was used before ends its family."""
    is_own = found.application_id == client.pk
    if is_own and found.jkt and found.jkt != jkt_of(request):
        return "proof.mismatch"
    if found.revoked is not None and request.headers[rotation.ARRIVED] <= found.revoked:
        return "token.raced"  # it was here before the other had done its work
    if is_own and rotation.retries(found):
        found.revoked = None  # here only: its end, and what stands behind it, are looked at below
    elif found.revoked is not None:
        RefreshToken.revoke_family(found.token_family)
        return REPLAYED if rotation.was_rotated(found) else "token.refused"
    elif not is_own or rotation.is_idle(found):
        return "token.refused"
    if not tokens.is_active(found):  # G10: its absolute end, and the authorization's own
        return "authorization.ended"
    if not launches.may_refresh(found):  # `online_access`, and they signed out
        RefreshToken.revoke_family(found.token_family)
        return "authorization.ended"
    return ""


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
