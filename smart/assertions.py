"""A client that proves itself with its key: `private_key_jwt` (RFC 7523, SMART App Launch 2.2)."""

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone

from smart import jwts, keys
from smart.jwts import BadToken
from smart.models import Client

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS384", "ES384")  # those that SMART asks for
LONGEST = 300  # seconds from now to its `exp`
NAMED = "smart.client"  # where META keeps who a request says it is from; no header of HTTP has this name
SKEW = 30  # seconds that clocks may differ


def audiences() -> frozenset[str]:
    """What `aud` may be: the issuer, or the token endpoint, wherever it is sent to."""
    return frozenset({settings.BASE_URL, f"{settings.BASE_URL}/o/token/"})


def subject_of(assertion: str) -> str:
    """The client_id of whom an assertion speaks, unproved; empty where it speaks of nobody."""
    try:
        return jwts.text(jwts.parts_of(assertion)[1], "sub")
    except BadToken:
        return ""


def client_of(assertion: str, client_id: str | None, known: Client | None = None) -> Client | None:
    """Whom an assertion speaks of, unproved; None where it speaks of nobody, or of somebody else.
    `known` was read before, and is perhaps the one."""
    subject = subject_of(assertion)
    if not subject or client_id not in (None, "", subject) or "\x00" in subject:
        return None
    if known and known.client_id == subject:
        return known
    return Client.objects.filter(client_id=subject).first()


def prepare(assertion: str, known: Client | None = None) -> None:
    """Have the keys of whom it speaks of at hand. To be called before a transaction: it may fetch."""
    client = client_of(assertion, None, known)
    if client is None or not client.jwks_uri or not client.is_usable(None):
        return
    kid = jwts.parts_of(assertion)[0].get("kid")
    keys.refresh(client, kid if isinstance(kid, str) else "")


def check(assertion: str, client: Client) -> None:
    """Raises BadToken unless the client signed this, for us, for now, and for the first time."""
    header, claims = jwts.parts_of(assertion)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise BadToken("alg is not RS384 or ES384")
    if header.get("typ", "JWT") not in ("JWT", "client-authentication+jwt"):
        raise BadToken("typ is not JWT")
    kid = jwts.text(header, "kid")
    if "jku" in header and (not client.jwks_uri or header["jku"] != client.jwks_uri):
        raise BadToken("jku is not the address that was registered")
    if {claims.get("iss"), claims.get("sub")} != {client.client_id}:
        raise BadToken("iss and sub are not the client")
    if not jwts.one_of(claims.get("aud"), audiences()):
        raise BadToken("aud is not the token endpoint")
    jti = jwts.text(claims, "jti")
    ends = _times(claims)
    _verify(assertion, client, kid, algorithm)
    if not jwts.is_first(f"assertion {client.client_id}", jti, datetime.fromtimestamp(ends + SKEW, UTC)):
        raise BadToken("jti was used before")


def _times(claims: dict[str, object]) -> float:
    now = timezone.now().timestamp()
    ends = jwts.number(claims, "exp")
    if ends <= now:
        raise BadToken("exp has passed")
    if ends > now + LONGEST + SKEW:
        raise BadToken("exp is more than five minutes away")
    for name in ("nbf", "iat"):
        if name in claims and jwts.number(claims, name) > now + SKEW:
            raise BadToken(f"{name} is in the future")
    return ends


def _verify(assertion: str, client: Client, kid: str, algorithm: str) -> None:
    """With the one key of that `kid`; `x5u` and `jwk` of the header are never looked at."""
    named = [key for key in keys.keys_of(client) if key.get("kid") == kid]
    if len(named) != 1:
        raise BadToken("there is no one key with this kid")
    jwts.verify(assertion, jwts.public_key(named[0], algorithm), algorithm)
