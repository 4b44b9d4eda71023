"""Signed tokens of others (RFC 7515), read with care: what may cost or confuse is refused first."""

import base64
import binascii
import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

LONGEST = 8192  # characters
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
CURVE_OF = {"ES256": "P-256", "ES384": "P-384"}
MOST_MODULUS = 6144 // 8 * 4 // 3 + 4  # characters of an RSA modulus


class BadToken(ValueError):
    """Not a signed token that can be taken; the message says why and holds nothing of it."""


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unproved. Raises BadToken."""
    pieces = token.split(".")
    if len(token) > LONGEST or len(pieces) != 3:
        raise BadToken("it is not a signed JWT")
    try:
        header, claims = (read_json(_decoded(piece)) for piece in pieces[:2])
    except (ValueError, RecursionError) as error:
        raise BadToken("it cannot be read") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("it cannot be read")
    if "crit" in header or "b64" in header:
        raise BadToken("it asks for an extension")
    return header, claims


def read_json(text: bytes | str) -> Any:
    """JSON of strangers, in which nothing stands twice (RFC 7515, 5.2) and which PostgreSQL can keep.
    Raises ValueError or RecursionError."""
    value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    if not is_storable(value):
        raise ValueError("a text in it cannot be kept")
    return value


def is_storable(value: object) -> bool:
    """Whether PostgreSQL can keep what stands in a JSON value: no NUL, no half of a character."""
    try:
        return b"\\u0000" not in json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("a member stands there twice")
    return dict(members)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def public_key(jwk: object, algorithm: str) -> JWK:
    """A public key that fits an algorithm. Raises BadToken for any other, private ones too.

    An RSA exponent is the usual one: a large one makes each check of a signature dear.
    """
    if (
        not isinstance(jwk, dict)
        or PRIVATE & set(jwk)
        or not all(isinstance(v, str | list | bool) for v in jwk.values())
    ):
        raise BadToken("the key is not a public one")
    curve = CURVE_OF.get(algorithm)
    fits = (jwk.get("kty"), jwk.get("crv")) == ("EC", curve) if curve else jwk.get("kty") == "RSA"
    if not fits or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        raise BadToken("the key does not fit the algorithm")
    if not curve and (jwk.get("e") != "AQAB" or not 340 <= len(str(jwk.get("n", ""))) <= MOST_MODULUS):
        raise BadToken("the key has not a size that is taken")
    try:
        return JWK(**{name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk})
    except (JWException, ValueError, TypeError) as error:
        raise BadToken("the key cannot be read") from error


def verify(token: str, key: JWK, algorithm: str) -> None:
    """Raises BadToken unless this key signed it with this algorithm."""
    proof = JWS()
    proof.allowed_algs = [algorithm]
    try:
        proof.deserialize(token, key)
    except (JWException, ValueError, TypeError) as error:
        raise BadToken("the signature is wrong") from error


def number(claims: dict[str, Any], name: str) -> float:
    """A time in seconds. Raises BadToken."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise BadToken(f"{name} is not a time")
    return value


def text(claims: dict[str, Any], name: str, most: int = 255) -> str:
    """Raises BadToken where it is not there, or is not a short text."""
    value = claims.get(name)
    if not isinstance(value, str) or not value or len(value) > most:
        raise BadToken(f"{name} is missing or is no text")
    return value


def is_first(who: str, jti: str, until: datetime) -> bool:
    """Note that this was said, once: False where it was said before. Two at once wait for each other."""
    digest = hashlib.sha256(f"{who}\0{jti}".encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO smart_seen (digest, expires_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [digest, until],
        )
        return bool(cursor.rowcount)


def one_of(value: object, wanted: Collection[str]) -> bool:
    """Whether an `aud` is one of these, and nobody else's: what two may take, the one sends to the other."""
    said = value[0] if isinstance(value, list) and len(value) == 1 else value
    return isinstance(said, str) and said in wanted
