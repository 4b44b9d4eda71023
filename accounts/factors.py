"""How a person can prove who they are, and how they did: the one door to allauth's records of it.

`get_authentication_records` and `record_authentication` are internal to allauth; what we take for granted
of them stands in tests/accounts/test_factors.py.
"""

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import User


class Factor(StrEnum):
    """Values are kept in the log: never rename one. The three of allauth's are its own words."""

    PASSKEY = "webauthn"
    CODE = "totp"
    BACKUP_CODE = "recovery_codes"
    PASSWORD = "password"
    PROVIDER = "provider"  # an identity provider, which says of one factor only
    PROVIDER_MFA = "provider-mfa"  # one that vouches for two


# With one of these, one that is weak proves nothing any more.
STRONG = frozenset({Factor.PASSKEY, Factor.CODE})
WEAK = frozenset({Factor.PASSWORD, Factor.PROVIDER})


@dataclass(frozen=True, slots=True)
class Proven:
    """That the person of a session proved who they are: by what, when, and whether while signing in."""

    factor: Factor
    at: float  # seconds since 1970
    at_sign_in: bool


def of(user: User) -> frozenset[Factor]:
    """What this person has. Backup codes that are all used are none."""
    found = {Factor.PASSWORD} if user.has_usable_password() else set()
    if SocialAccount.objects.filter(user_id=user.pk, provider__in=settings.IDENTITY_PROVIDERS).exists():
        found |= {Factor.PROVIDER, Factor.PROVIDER_MFA}  # which of the two, each sign-in there says
    for authenticator in Authenticator.objects.filter(user_id=user.pk):
        is_used_up = (
            authenticator.type == Authenticator.Type.RECOVERY_CODES
            and not authenticator.wrap().get_unused_codes()
        )
        if not is_used_up:
            found.add(Factor(authenticator.type))
    return frozenset(found)


def proven(request: HttpRequest) -> Iterator[Proven]:
    """What this session's person proved, the earlier first; what somebody else did in it is left out."""
    for record in get_authentication_records(request, request.user):
        name = record.get("type") if record.get("method") == "mfa" else record.get("method")
        if name == "socialaccount":
            name = by_provider(record.get("assurance", ()))
        if name in set(Factor):
            yield Proven(Factor(name), float(record["at"]), not record.get("reauthenticated"))


def by_provider(assurance: Collection[str]) -> Factor:
    return Factor.PROVIDER_MFA if "mfa" in assurance else Factor.PROVIDER


def provider_of(request: HttpRequest, user: User) -> str:
    """By which identity provider a person came, if by one."""
    records = get_authentication_records(request, user)
    return next((str(r["provider"]) for r in records if r.get("method") == "socialaccount"), "")


def can_sign_in_without(user: User, row: Model) -> bool:
    """Whether the person has another way in than this passkey or link to a provider."""
    keys = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN)
    links = SocialAccount.objects.filter(user_id=user.pk, provider__in=settings.IDENTITY_PROVIDERS)
    others = [rows.exclude(pk=row.pk) if isinstance(row, rows.model) else rows for rows in (keys, links)]
    return user.has_usable_password() or any(rows.exists() for rows in others)


def check_password(request: HttpRequest, user: User, password: str) -> Factor | None:
    if not user.check_password(password):
        return None
    record_authentication(request, user, "password", reauthenticated=True)
    return Factor.PASSWORD


def check_code(request: HttpRequest, user: User, code: str, accepted: Collection[Factor]) -> Factor | None:
    """By an app's code or a backup code; one of a kind that is not accepted is not used up."""
    wanted = {Factor.CODE, Factor.BACKUP_CODE} & set(accepted)
    for authenticator in Authenticator.objects.filter(user=user, type__in=wanted).order_by("-type"):
        if authenticator.wrap().validate_code(code):
            post_authentication(request, authenticator, reauthenticated=True)
            return Factor(authenticator.type)
    return None


def passkey_question(user: User) -> dict[str, Any]:
    """What the browser's `navigator.credentials.get` is asked; the challenge is kept in the session."""
    return webauthn.begin_authentication(user)


def check_passkey(request: HttpRequest, user: User, answer: str) -> Factor | None:
    """`answer` is the credential as JSON, for the question that was asked last in this session."""
    try:
        credential = json.loads(answer)
        webauthn.parse_authentication_response(credential)
        authenticator = webauthn.complete_authentication(user, credential)
    except (ValueError, ValidationError, KeyError, AttributeError):
        return None
    post_authentication(request, authenticator, reauthenticated=True)
    return Factor.PASSKEY


def now() -> float:
    """The clock that the records are kept by."""
    return time.time()
