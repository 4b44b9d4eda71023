"""Somebody whom an identity provider knows and we do not yet, until their account is made or linked.

What the provider verified can find their record (`portal.provider_match`). It never finds it by e-mail.
"""

import json
from dataclasses import asdict, dataclass
from datetime import date

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.http import HttpRequest

from accounts import factors, matching, secrets
from accounts.providers import Answer

KEY = "provider.waiting"
LASTS = 15 * 60  # seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whom a provider knows and we do not yet. Kept in the session, encrypted, for some minutes."""

    provider: str
    sub: str
    assurance: tuple[str, ...]
    name: str
    birth_date: str  # ISO 8601, or empty
    street: str
    city: str
    phone: str

    @property
    def is_identified(self) -> bool:
        return "identified" in self.assurance and bool(self.name and self.birth_date)

    def known(self) -> matching.Demographics:
        """For `matching.judge`. No e-mail address: it never says who somebody is."""
        resource = {
            "name": [{"text": self.name}],
            "birthDate": self.birth_date,
            "address": [{"line": [self.street], "city": self.city}],
            "telecom": [{"system": "phone", "value": self.phone}],
        }
        return matching.of_resource(resource).known

    def as_answer(self) -> Answer:
        provider = settings.IDENTITY_PROVIDERS[self.provider]
        return Answer(provider, self.sub, {}, frozenset(self.assurance), {})


def waiting_of(answer: Answer) -> Waiting:
    claims = answer.claims
    address = claims.get("address")
    address = address if isinstance(address, dict) else {}
    phone = claims.get("phone_number", "") if claims.get("phone_number_verified") is True else ""
    return Waiting(
        provider=answer.provider.id,
        sub=answer.sub,
        assurance=tuple(sorted(answer.assurance)),
        name=str(
            claims.get("name") or f"{claims.get('given_name', '')} {claims.get('family_name', '')}".strip()
        ),
        birth_date=_day(claims.get("birthdate")),
        street=str(address.get("street_address", "")),
        city=str(address.get("locality", "")),
        phone=str(phone),
    )


def keep(request: HttpRequest, answer: Answer) -> None:
    sealed = secrets.encrypt(json.dumps(asdict(waiting_of(answer))))
    request.session[KEY] = {"sealed": sealed, "since": factors.now()}


def drop(request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def waiting(request: HttpRequest) -> Waiting | None:
    """Who came back from a provider in this session a moment ago, and is nobody here yet."""
    told = request.session.get(KEY)
    if not told or factors.now() - told["since"] > LASTS:
        return None
    try:
        kept = json.loads(secrets.decrypt(told["sealed"]))
    except InvalidToken:  # the key was changed in between
        return None
    found = Waiting(**kept | {"assurance": tuple(kept["assurance"])})
    return found if found.provider in settings.IDENTITY_PROVIDERS else None


def _day(value: object) -> str:
    """A whole date; a provider may say a year alone, or 0000 for it (OpenID Connect Core 5.1)."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        return ""
