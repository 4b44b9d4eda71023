"""What oauthlib asks at each step of the protocol, answered as SMART App Launch 2.2 wants it.

The toolkit's validator does the plain OAuth part; here stands what it leaves open. The
letters G1 to G11 are traps of the toolkit, told in docs/smart.md and tried in tests/smart.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.utils import timezone
from jwcrypto import jwt
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from audit import context
from smart import (
    assertions,
    authorizations,
    dpop,
    exchange,
    identity,
    issuing,
    launches,
    rotation,
    scopes,
    signouts,
    tokens,
    trail,
)
from smart.authorizations import Authorization
from smart.jwts import BadToken
from smart.models import AccessToken, Client, Grant, RefreshToken

CODE_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636, 4.1
REPLAYED = "token.replayed"
NAMED = assertions.NAMED
log = structlog.get_logger("chartkey.oauth")


class SmartValidator(OAuth2Validator):
    """One instance serves all requests: what belongs to a request stands on `request`.

    `request.smart_source` is the row that the tokens come from: a Grant or a RefreshToken.
    """

    oidc_claim_scope = OAuth2Validator.oidc_claim_scope | {"fhirUser": "fhirUser"}

    def is_origin_allowed(self, client_id: str, origin: str, request: Request, *a: Any, **kw: Any) -> bool:
        return False  # `smart.cors` says it, of errors and preflights too

    # Who the client is

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
        if client.dpop_bound_access_tokens and not _jkt(request):
            raise errors.CustomOAuth2Error(
                "invalid_dpop_proof", dpop.NEEDED, status_code=400, request=request
            )
        if grant_type == "client_credentials" and not (
            client.signs_assertions and client.is_approved_service
        ):
            return False
        return bool(super().validate_grant_type(client_id, grant_type, client, request, *args, **kwargs))

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
        """Only what a person said yes to becomes a code: `smart_ctx` is put there by the consent page."""
        given: Authorization = request.smart_ctx
        grant: Grant = super()._create_authorization_code(request, code, expires)
        grant.authorization_id = given.id
        grant.patient = given.patient
        grant.ends_at = given.ends_at
        grant.authenticated_at = given.authenticated_at
        grant.launch = given.launch
        grant.jkt = getattr(request, "smart_jkt", None) or ""
        grant.save()
        return grant

    # Code for tokens

    def get_authorization_code_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        """Which of oauthlib's two handlers takes a code. That of OpenID Connect takes any, and looks at the
        scopes once the client has proved itself; to look at them before would be a look for strangers."""
        return ["openid"]

    def validate_code(
        self, client_id: str, code: str, client: Client, request: Request, *a: Any, **kw: Any
    ) -> bool:
        """G4: the row stays locked until the tokens are written, so one code gives one set of tokens."""
        grant = Grant.objects.select_for_update().filter(code=code, application=client).first()
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
        found = tokens.find_refresh(refresh_token, lock=True)
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

    # Tokens

    def save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """In the transaction of the view; the toolkit would open one more within it."""
        self._save_bearer_token(token, request, *args, **kwargs)

    def _save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """Issue what the authorization still allows; `token` is the answer that the client gets."""
        if _jkt(request):
            token["token_type"] = "DPoP"
        if request.grant_type == "client_credentials":
            self._save_system_token(token, request)
        elif request.grant_type == exchange.GRANT_TYPE:
            self._save_exchanged(token, request)
        else:
            self._save_persons_token(token, request)

    def _save_persons_token(self, token: dict[str, Any], request: Request) -> None:
        source: Grant | RefreshToken = request.smart_source
        self._check_and_set_request_resource(request)
        token["expires_in"] = _lifetime(token["expires_in"], source)
        if not launches.may_refresh(source):
            token.pop("refresh_token", None)
        if isinstance(source, RefreshToken):
            issuing.use(source)
        access = issuing.access_token(request, token, source=source, jkt=_jkt(request))
        if "refresh_token" in token:
            issuing.refresh_token(request, token, access, source, _jkt(request))
        if source.patient:
            token["patient"] = authorizations.fhir_id_of(source.patient)
        token.update(source.launch)
        token["grant_id"] = str(source.authorization_id)  # by which `smart.events` speaks of it
        trail.issued(source, token)

    def _save_system_token(self, token: dict[str, Any], request: Request) -> None:
        """SMART Backend Services: no person, no patient, no refresh token, five minutes."""
        token.pop("refresh_token", None)
        token["expires_in"] = min(token["expires_in"], 300)
        request.user = None
        trail.issued(issuing.access_token(request, token, source=None, jkt=_jkt(request)), token)

    def _save_exchanged(self, token: dict[str, Any], request: Request) -> None:
        """All of the subject's, with the service that asked before those that asked before it."""
        subject: AccessToken = request.smart_subject
        actor = request.client.client_id
        request.user, request.client = subject.user, subject.application
        act = {"sub": actor} | ({"act": subject.act} if subject.act else {})
        access = issuing.access_token(request, token, source=subject, jkt=_jkt(request), act=act)
        trail.issued(access, token, to=actor)

    def _check_and_set_request_resource(self, request: Request) -> None:
        """RFC 8707: our FHIR bases are one resource server; a token for any other is not to be had."""
        if request.resource not in (None, "", []) and not authorizations.is_base(str(request.resource)):
            raise errors.CustomOAuth2Error("invalid_target", status_code=400, request=request)
        request.resource = []

    def revoke_token(
        self, token: str, token_type_hint: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """RFC 7009. The family of a token ends as a whole; someone else's token is left alone."""
        found = tokens.find_of(request.client, token)
        if found is None:
            return
        RefreshToken.revoke_family(found.token_family)
        trail.revoked(found)

    # Who signed in

    def get_additional_claims(self, request: Request) -> dict[str, str]:
        """`profile` gives the name, `fhirUser` the person as a FHIR resource; see `oidc_claim_scope`."""
        claims = {"name": request.user.name}
        source = getattr(request, "smart_source", None) or request.access_token
        if person := identity.fhir_user_of(request.user, source.patient):
            claims["fhirUser"] = person
        return claims

    def get_id_token_dictionary(
        self, token: dict[str, Any], token_handler: Any, request: Request
    ) -> tuple[dict[str, Any], datetime]:
        """`auth_time` is the session's own; the toolkit would tell of the latest sign-in anywhere."""
        claims, expires = super().get_id_token_dictionary(token, token_handler, request)
        claims["auth_time"] = identity.seconds(request.smart_source.authenticated_at)
        signed_in = launches.sign_in_of(request.smart_source.token_family)
        if signed_in:
            claims["sid"] = signouts.sid_of(signed_in.session_key)
        if signed_in and signed_in.acr:
            claims |= {"acr": signed_in.acr, "amr": signed_in.amr}
        return claims, expires

    def finalize_id_token(
        self, id_token: dict[str, Any], token: dict[str, Any], token_handler: Any, request: Request
    ) -> str:
        """Signed as the client registered (`id_token_signed_response_alg`); the toolkit knows RS256 only."""
        claims, expires = self.get_id_token_dictionary(token, token_handler, request)
        claims = id_token | claims
        if request.nonce:
            claims["nonce"] = request.nonce
        algorithm = identity.algorithm_of(request.client.algorithm)
        key = request.client.jwk_key
        header = {"typ": "JWT", "alg": algorithm, "kid": key.thumbprint()}
        signed = jwt.JWT(header=header, claims=claims)
        signed.make_signed_token(key)
        request.id_token = self._save_id_token(claims["jti"], request, expires)
        return str(signed.serialize())

    # Bearers

    def validate_bearer_token(self, token: str, scopes_: list[str], request: Request) -> bool:
        """For the endpoints of this room; the FHIR gate loads all it needs in one statement of its own."""
        return super().validate_bearer_token(token, scopes_, request) and tokens.is_active(
            request.access_token
        )

    def validate_jwt_bearer_token(self, token: str, scopes_: list[str], request: Request) -> bool:
        return False  # G1: an id_token tells who someone is and opens nothing


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
    if grant.jkt and grant.jkt != _jkt(request):
        return "proof.mismatch"
    if not authorizations.is_in_force(grant.authorization_id):
        return "authorization.ended"
    return ""


def _why_not_refreshed(found: RefreshToken, client: Client, request: Request) -> str:
    """Why a refresh token is not honoured, empty if it is. One that was used before ends its family."""
    is_own = found.application_id == client.pk
    if is_own and found.jkt and found.jkt != _jkt(request):
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


def _asserts(request: Request) -> bool:
    names = ("client_assertion", "client_assertion_type")
    return any(getattr(request, name, None) for name in names)


def _jkt(request: Request) -> str:
    """The thumbprint of the key that this request showed; the view checked the proof."""
    return str(request.headers.get(dpop.KEY, ""))


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _end_of(source: Grant | RefreshToken) -> datetime:
    end = source.ends_at if isinstance(source, Grant) else source.expires_at
    if end is None:
        raise errors.InvalidGrantError
    return end


def _lifetime(seconds: int, source: Grant | RefreshToken) -> int:
    """No access token outlives its authorization."""
    left = (_end_of(source) - timezone.now()) // timedelta(seconds=1)
    if left <= 0:
        raise errors.InvalidGrantError
    return min(seconds, left)
