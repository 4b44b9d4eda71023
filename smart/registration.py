"""Software that registers itself (RFC 7591): with what it may, and how much of it.

The site chooses by DYNAMIC_REGISTRATION: `off`, `token` (an initial access token, which an administrator
gives), or `statement` (a software statement, signed by somebody whom the site trusts).
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from smart import jwts
from smart.commands import digest_of
from smart.jwts import BadToken
from smart.models import Client, InitialAccess

OFF, TOKEN, STATEMENT = "off", "token", "statement"
CHOICES = (OFF, TOKEN, STATEMENT)
ALGORITHMS = ("RS256", "RS384", "ES256", "ES384")  # of software statements
SKEW = 30  # seconds
MOST_AN_HOUR = 20  # clients that one credential registers
# Claims of a software statement that are about the statement and no client metadata (RFC 7591, 3.1.1).
OF_THE_STATEMENT = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


class BadStatement(ValueError):
    """`code` is RFC 7591's (3.2.2)."""

    def __init__(self, why: str, code: str = "invalid_software_statement") -> None:
        super().__init__(why)
        self.code = code


def is_on() -> bool:
    return settings.DYNAMIC_REGISTRATION != OFF


def credential_of_token(value: str) -> str:
    """What stands for an initial access token that is in force; empty for any other text."""
    found = InitialAccess.objects.filter(digest=digest_of(value), expires_at__gt=timezone.now()).first()
    return str(found) if found else ""


def with_statement(said: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Metadata in which the claims of a software statement come before what the client says by itself
    (RFC 7591, 2.3), and who signed it. Raises BadStatement."""
    statement = said.get("software_statement")
    if not isinstance(statement, str):
        raise BadStatement("A software statement is needed here.")
    try:
        header, claims = jwts.parts_of(statement)
        issuer = jwts.text(claims, "iss")
        _check_times(claims)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise BadToken("alg is none of ours")
        keys = _issuers().get(issuer)
        if keys is None:
            raise BadStatement("Its issuer is not trusted here.", "unapproved_software_statement")
        named = [key for key in keys if header.get("kid") in (None, key.get("kid"))]
        if len(named) != 1:
            raise BadToken("there is no one key with this kid")
        jwts.verify(statement, jwts.public_key(named[0], algorithm), algorithm)
    except BadToken as error:
        raise BadStatement(f"The software statement is not taken: {error}.") from error
    return {**said, **{n: v for n, v in claims.items() if n not in OF_THE_STATEMENT}}, issuer


def _check_times(claims: Mapping[str, Any]) -> None:
    now = timezone.now().timestamp()
    said = dict(claims)
    if "exp" in said and jwts.number(said, "exp") <= now:
        raise BadToken("exp has passed")
    if "nbf" in said and jwts.number(said, "nbf") > now + SKEW:
        raise BadToken("nbf is in the future")


def _issuers() -> Mapping[str, list[dict[str, Any]]]:
    """Whom the site trusts: issuer → public keys, from the file that SOFTWARE_STATEMENT_ISSUERS names."""
    path = settings.SOFTWARE_STATEMENT_ISSUERS
    return _read(Path(path)) if path else {}


@cache
def _read(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    """{"https://issuer.example": {"keys": [JWK, …]}}; read once, so a change needs a restart."""
    return {issuer: jwks["keys"] for issuer, jwks in json.loads(path.read_text()).items()}


def is_too_much(credential: str) -> bool:
    """Whether one credential registered as many as it may in an hour; PostgreSQL counts."""
    since = timezone.now() - timedelta(hours=1)
    return (
        Client.objects.filter(registration_credential=credential, created__gt=since).count() >= MOST_AN_HOUR
    )


def managed(client_id: str, token: str) -> Client | None:
    """The client whose registration access token this is (RFC 7592, 1.3); None for any other pair."""
    client = Client.objects.filter(client_id=client_id).first() if "\x00" not in client_id else None
    known = client.registration_token if client else ""
    is_its = constant_time_compare(
        known, digest_of(token)
    )  # the same work for a client that is not there (A22)
    return client if known and is_its else None
