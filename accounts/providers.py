"""Sign-in by an identity provider (OpenID Connect Core 1.0), on django-allauth's client.

A provider says who somebody is there. Which of our accounts that is says a link alone, made by the account's
owner, or with a clinic's code, or after the provider's verified facts were matched with a record. An e-mail
address links nothing: whoever has a provider account with somebody else's address gets nowhere by it.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import requests
from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from jwcrypto import jwk, jwt
from jwcrypto.common import JWException

from accounts import endings, factors
from accounts.endings import Change
from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry, record
from config.providers import IdentityProvider
from notices import commands as notices

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384"]  # never one in which our secret signs, and never none
OLDEST_PROOF = 60  # seconds by which a provider's clock may be behind ours, or ahead
SCOPES = ["openid", "profile"]
SCOPES_IDENTIFIED = ["address", "phone"]  # of those who verify what they say: to match it with a record


class Errand(StrEnum):
    """What a person was sent to a provider for."""

    SIGN_IN = "sign-in"
    LINK = "link"
    STEP_UP = "step-up"


class Failed(Exception):
    """A sign-in there came to nothing. `code` stands in the log: never rename one."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says of who came back, checked. `told` is what we kept when we sent them."""

    provider: IdentityProvider
    sub: str
    claims: Mapping[str, Any]
    assurance: frozenset[str]  # of `config.providers.ASSURANCES`
    told: Mapping[str, Any]


class SocialAdapter(DefaultSocialAccountAdapter):
    """Providers come from the settings alone, and nobody is let in but by `sign_in` below."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        known = settings.IDENTITY_PROVIDERS.values()
        apps = [_app(one) for one in known if provider in (None, one.id, "openid_connect")]
        return [app for app in apps if client_id in (None, app.client_id)]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: object) -> bool:
        return False

    def can_authenticate_by_email(self, login: object, email: str) -> bool:
        return False


class _Client(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's metadata; it must be of the issuer that was asked (Discovery 1.0, 4.3)."""
        found: dict[str, Any] = super().openid_config
        if found.get("issuer") != settings.IDENTITY_PROVIDERS[self.provider_id].issuer:
            raise Failed("provider.issuer")
        return found


def start(request: HttpRequest, provider_id: str, errand: Errand, **told: str) -> HttpResponse:
    """The way to a provider; the answer comes to `finish`, in this session alone. Raises Failed.

    `told` is kept in the session. Raises KeyError for a provider that there is not.
    """
    provider = settings.IDENTITY_PROVIDERS[provider_id]
    nonce = secrets.token_urlsafe(24)
    asked = {"nonce": nonce}
    if provider.acr_values:
        asked["acr_values"] = " ".join(provider.acr_values)
    if errand is Errand.STEP_UP:
        asked |= {"prompt": "login", "max_age": "0"}
    user = str(request.user.pk or "")
    data = told | {"errand": errand.value, "nonce": nonce, "user": user, "at": factors.now()}
    social = get_adapter(request).get_provider(request, provider_id)
    social.oauth2_adapter_class = _Client
    try:
        way: HttpResponse = social.redirect(request, "login", data=data, auth_params=asked)
    except (requests.RequestException, KeyError, ValueError) as error:
        raise Failed("provider.down") from error
    return way


def finish(request: HttpRequest, provider_id: str) -> Answer:
    """Check an answer: state, PKCE, signature, issuer, audience, nonce, and whose session it is. Raises
    Failed, and KeyError for a provider that there is not."""
    provider = settings.IDENTITY_PROVIDERS[provider_id]
    sent = request.GET
    state = statekit.unstash_state(request, provider_id=provider_id, state_id=sent.get("state", ""))
    if state is None or state["data"]["user"] != str(request.user.pk or ""):
        raise Failed("provider.state")
    if sent.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise Failed("provider.issuer")
    if "code" not in sent:
        raise Failed("provider.cancelled" if sent.get("error") == "access_denied" else "provider.error")
    claims = _claims(request, provider, state)
    if state["data"]["errand"] == Errand.STEP_UP:
        _check_fresh(claims, state["data"]["at"])
    held = frozenset(ours for claim, value, ours in provider.assurance if str(claims.get(claim)) == value)
    return Answer(provider, str(claims["sub"]), claims, held, state["data"])


def _claims(request: HttpRequest, provider: IdentityProvider, state: Mapping[str, Any]) -> dict[str, Any]:
    client = _Client(request, provider.id)
    try:
        app = client.get_provider().app
        tokens = client.get_access_token_data(
            request, app, client.get_client(request, app), state["pkce_code_verifier"]
        )
        with get_adapter().get_requests_session() as session:
            keys = session.get(client.openid_config["jwks_uri"]).text
        claims = _verified(tokens["id_token"], keys, provider, state["data"]["nonce"])
        if "userinfo_endpoint" in client.openid_config:
            more = client._fetch_user_info(tokens["access_token"])
            if more.get("sub") != claims["sub"]:
                raise Failed("provider.token")
            claims = more | claims
    except requests.RequestException as error:
        raise Failed("provider.down") from error
    except (OAuth2Error, JWException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failed("provider.token") from error
    return claims


def _verified(token: str, keys: str, provider: IdentityProvider, nonce: str) -> dict[str, Any]:
    """An ID token's claims (OpenID Connect Core 3.1.3.7). Raises JWException, ValueError, KeyError."""
    wanted = {"iss": provider.issuer, "aud": provider.client_id, "nonce": nonce}
    checked = jwt.JWT(
        jwt=token,
        key=jwk.JWKSet.from_json(keys),
        algs=ALGORITHMS,
        check_claims=wanted | dict.fromkeys(("exp", "iat", "sub")),
        expected_type="JWS",
    )
    claims: dict[str, Any] = json.loads(checked.claims)
    if not claims["sub"] or claims.get("azp", provider.client_id) != provider.client_id:
        raise ValueError("the token is nobody's, or another client's")
    return claims


def _check_fresh(claims: Mapping[str, Any], asked_at: float) -> None:
    """That they signed in there just now, and not with a session that somebody left open."""
    at = claims.get("auth_time")
    if not isinstance(at, int) or not asked_at - OLDEST_PROOF <= at <= factors.now() + OLDEST_PROOF:
        raise Failed("provider.old")


def _app(provider: IdentityProvider) -> SocialApp:
    scopes = SCOPES + SCOPES_IDENTIFIED * any(ours == "identified" for *_, ours in provider.assurance)
    return SocialApp(
        provider="openid_connect",
        provider_id=provider.id,
        name=provider.label,
        client_id=provider.client_id,
        secret=provider.secret,
        settings={"server_url": provider.issuer.rstrip("/"), "oauth_pkce_enabled": True, "scope": scopes},
    )


# Who that is here


def owner(answer: Answer) -> User | None:
    """Whose account is linked to it."""
    found = SocialAccount.objects.filter(provider=answer.provider.id, uid=answer.sub).first()
    return found.user if found else None


def linked(user: User) -> dict[str, SocialAccount]:
    """A person's links, by provider; of providers that there still are."""
    known = SocialAccount.objects.filter(user=user, provider__in=settings.IDENTITY_PROVIDERS)
    return {row.provider: row for row in known}


def sign_in(request: HttpRequest, user: User, answer: Answer, *, redirect_url: str | None) -> HttpResponse:
    """Sign a person in, with the second factor that they have here, if any."""
    request.is_shared = answer.told.get("shared") == "on"  # type: ignore[attr-defined]  # accounts.allauth
    record_proof(request, user, answer)
    done: HttpResponse = perform_login(request, user, email_verification="none", redirect_url=redirect_url)
    return done


def record_proof(request: HttpRequest, user: User, answer: Answer, **more: bool) -> None:
    """Note in the session by whom, and how surely; `accounts.factors` and `smart.identity` read it."""
    said = {"provider": answer.provider.id, "assurance": sorted(answer.assurance)}
    record_authentication(request, user, "socialaccount", **said, **more)


@transaction.atomic
def link(request: HttpRequest, user: User, answer: Answer) -> None:
    """From now on this account is signed in to by that of the provider. Raises Failed where either is
    linked already."""
    user = User.objects.select_for_update().get(pk=user.pk)
    whose = owner(answer)
    if whose == user:
        return
    if whose or SocialAccount.objects.filter(user=user, provider=answer.provider.id).exists():
        raise Failed("provider.taken")
    SocialAccount.objects.create(user=user, provider=answer.provider.id, uid=answer.sub)
    _changed(request, user, Change.PROVIDER_LINKED)


@transaction.atomic
def unlink(request: HttpRequest, user: User, provider_id: str) -> None:
    """Raises Failed where it is the person's last way to sign in. Twice changes nothing."""
    user = User.objects.select_for_update().get(pk=user.pk)
    row = SocialAccount.objects.filter(user=user, provider=provider_id).first()
    if row is None:
        return
    if not factors.can_sign_in_without(user, row):
        raise Failed("provider.last")
    row.delete()
    _changed(request, user, Change.PROVIDER_UNLINKED)


def _changed(request: HttpRequest, user: User, change: Change) -> None:
    endings.changed(user, change, session_key=request.session.session_key)
    notices.enqueue(
        "provider_changed", recipient=f"User/{user.pk}", email=user.email, language=user.language, context={}
    )


def failed(provider_id: str, code: str, *, user: User | None, errand: str) -> None:
    """Into the log: of whoever is signed in, or of the account that was tried, if we know it."""
    patient = getattr(user, "patient", None)
    record(
        Entry(
            type=EventType.SESSION_FAIL,
            outcome=Outcome.FAILED,
            actor=f"User/{user.pk}" if user and errand != Errand.SIGN_IN else ANONYMOUS,
            role=Role.PATIENT if patient and errand != Errand.SIGN_IN else "",
            patient=f"Patient/{patient.pk}" if patient else "",
            detail={"provider": provider_id, "why": code, "errand": errand},
        )
    )
