"""What is given: the tokens of each grant type, and the id_token. A part of `smart.validators`."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from jwcrypto import jwt
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from smart import authorizations, exchange, identity, issuing, launches, signouts, tokens, trail
from smart.dpop import jkt_of
from smart.models import AccessToken, Grant, RefreshToken


class Tokens(OAuth2Validator):
    def save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """In the transaction of the view; the toolkit would open one more within it."""
        self._save_bearer_token(token, request, *args, **kwargs)

    def _save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """Issue what the authorization still allows; `token` is the answer that the client gets."""
        if jkt_of(request):
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
        access = issuing.access_token(request, token, source=source, jkt=jkt_of(request))
        if "refresh_token" in token:
            issuing.refresh_token(request, token, access, source, jkt_of(request))
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
        trail.issued(issuing.access_token(request, token, source=None, jkt=jkt_of(request)), token)

    def _save_exchanged(self, token: dict[str, Any], request: Request) -> None:
        """All of the subject's, with the service that asked before those that asked before it."""
        subject: AccessToken = request.smart_subject
        actor = request.client.client_id
        request.user, request.client = subject.user, subject.application
        act = {"sub": actor} | ({"act": subject.act} if subject.act else {})
        access = issuing.access_token(request, token, source=subject, jkt=jkt_of(request), act=act)
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


class Identity(OAuth2Validator):
    def get_additional_claims(self, request: Request) -> dict[str, str]:
        """`profile` gives the name, `fhirUser` the person as a FHIR resource; see `oidc_claim_scope`."""
        claims = {"name": request.user.name}
        source = getattr(request, "smart_source", None) or request.access_token
        person = identity.fhir_user_of(request.user, source.patient, source.authorization_id)
        return claims | {"fhirUser": person}

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
