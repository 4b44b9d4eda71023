"""The link itself: `shlink:/` and a JSON payload ("Construct a SMART Health Link Payload").

It is made once, when the person asks for it. The key in it is in no row, log or address of ours.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from jwcrypto import jwe, jwk

from accounts.secrets import decrypt, encrypt
from exports.link_models import HealthLink

CONTENT_TYPE = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Secret:
    """What only the link has: 256 random bits each, base64url, 43 characters."""

    address: str  # the last part of its URL
    key: str

    @classmethod
    def new(cls) -> "Secret":
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    @classmethod
    def unsealed(cls, sealed: str) -> "Secret":
        return cls(*decrypt(sealed).split("."))

    def seal(self) -> str:
        return encrypt(f"{self.address}.{self.key}")


def digest(address: str) -> str:
    """How an address is kept: who reads the database cannot open anything by it."""
    return hashlib.sha256(address.encode()).hexdigest()


def uri(link: HealthLink, secret: Secret, until: datetime) -> str:
    """The whole link, as text and QR code have it."""
    payload = {
        "url": f"{settings.BASE_URL}/shl/{secret.address}",
        "key": secret.key,
        "exp": int(until.timestamp()),
        "flag": flag(link),
        "label": link.label,
        "v": 1,
    }
    said = {name: value for name, value in payload.items() if value}
    minified = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{settings.SHL_VIEWER}shlink:/{base64.urlsafe_b64encode(minified).decode().rstrip('=')}"


def flag(link: HealthLink) -> str:
    """L: worth asking again, its content changes. P: a passcode. U: one file by GET. In this order."""
    flags = {
        "L": link.is_live and link.opens_left is None,
        "P": bool(link.passcode_hash),
        "U": link.is_direct,
    }
    return "".join(name for name, holds in flags.items() if holds)


def encrypted(content: bytes, key: str) -> str:
    """A JWE in compact form: `dir`, A256GCM under a nonce drawn each time, deflated first."""
    header = {"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": CONTENT_TYPE}
    token = jwe.JWE(content, json.dumps(header))
    token.add_recipient(jwk.JWK(kty="oct", k=key))
    compact: str = token.serialize(compact=True)
    return compact
