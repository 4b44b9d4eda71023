"""Proof that whoever sends a request holds a key (RFC 9449, DPoP)."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from oauthlib.common import Request
from redis.exceptions import RedisError

from smart import jwts
from smart.jwts import BadToken

ALGORITHMS = ("ES256", "ES384", "RS256", "PS256")
WINDOW = 60  # seconds that `iat` may be away from now, to either side
NEEDED = "This client sends a proof with each request."
KEY = "smart.jkt"  # where META keeps what a proof showed; no header of HTTP has this name


class BadProof(BadToken):
    """The proof itself is not one (RFC 9449, 4.3), whatever token it comes with."""


def error_of(bad: BadToken) -> str:
    """The code at a record or userinfo (RFC 9449, 7.1)."""
    return "invalid_dpop_proof" if isinstance(bad, BadProof) else "invalid_token"


def challenge(bad: BadToken) -> str:
    """`WWW-Authenticate` of a record or userinfo."""
    return f'DPoP error="{error_of(bad)}", algs="{" ".join(ALGORITHMS)}"'


def jkt_of(request: Request) -> str:
    """The thumbprint of the key that this request showed; the view checked the proof."""
    return str(request.headers.get(KEY, ""))


def at_endpoint(request: HttpRequest) -> str:
    """The thumbprint of the key shown to an endpoint of ours, empty where none was. Raises BadToken.

    A proof counts once; PostgreSQL remembers it.
    """
    if "DPoP" not in request.headers:
        return ""
    jkt, jti = _proved(request, token="")
    until = timezone.now() + timedelta(seconds=2 * WINDOW)
    if not jwts.is_first(f"proof {jkt}", jti, until):
        raise BadToken("jti was used before")
    return jkt


def check_binding(request: HttpRequest, scheme: str, token: str, jkt: str) -> None:
    """Whether an access token comes as it must: a bound one as DPoP with its proof, another as Bearer.

    `jkt` is the token's. Raises BadToken.
    """
    if scheme.lower() == "dpop":
        at_resource(request, token, jkt)
    elif jkt:
        raise BadToken("a bound token is not a bearer token")


def at_resource(request: HttpRequest, token: str, jkt: str) -> None:
    """Check the proof that comes with a bound access token. Raises BadToken, BadProof for the proof alone.

    Valkey remembers it. Where Valkey is silent the proof still holds for this token, method
    and address alone, and for a minute.
    """
    try:
        shown, jti = _proved(request, token=token)
    except BadToken as bad:
        raise BadProof(str(bad)) from bad
    if not jkt or not constant_time_compare(shown, jkt):
        raise BadToken("the token is bound to another key")
    digest = hashlib.sha256(f"{shown}\0{jti}".encode()).hexdigest()
    try:
        first = cache.add(f"dpop:{digest}", 1, 2 * WINDOW)
    except RedisError:
        return
    if not first:
        raise BadProof("jti was used before")


def _proved(request: HttpRequest, *, token: str) -> tuple[str, str]:
    """Thumbprint and jti of a good proof for this request (RFC 9449, 4.3)."""
    proof = request.headers.get("DPoP", "")
    header, claims = jwts.parts_of(proof)
    algorithm = header.get("alg")
    if header.get("typ") != "dpop+jwt" or algorithm not in ALGORITHMS:
        raise BadToken("typ or alg is not one that is taken")
    if claims.get("htm") != request.method:
        raise BadToken("htm is another method")
    if str(claims.get("htu")).partition("?")[0].partition("#")[0] != f"{settings.BASE_URL}{_path(request)}":
        raise BadToken("htu is another address")
    away = datetime.now(UTC).timestamp() - jwts.number(claims, "iat")
    if abs(away) > WINDOW:
        raise BadToken("iat is not now")
    if token and not constant_time_compare(str(claims.get("ath")), _ath(token)):
        raise BadToken("ath is of another token")
    jti = jwts.text(claims, "jti")
    key = jwts.public_key(header.get("jwk"), algorithm)
    jwts.verify(proof, key, algorithm)
    return str(key.thumbprint()), jti


def _ath(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _path(request: HttpRequest) -> str:
    """As it was sent, percent signs and all."""
    return request.get_full_path().partition("?")[0]
