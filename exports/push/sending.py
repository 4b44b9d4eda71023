"""What is said to a destination: the challenge read, files put. One request each, under its pinned key."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken

from audit.bucket import authorization
from exports.models import Destination
from smart.keys import FETCHER, NotPublic, Unfetched, WrongKey

SENDER = FETCHER
# Seconds of the whole, and of each step: to read the challenge, while somebody waits, and to put 256 MiB.
PATIENCE = MappingProxyType({"GET": (10.0, 5.0), "PUT": (900.0, 30.0)})
WELL_KNOWN = "/.well-known/chartkey-export/"
EMPTY = hashlib.sha256(b"").hexdigest()
GOOD = frozenset({200, 201, 204})
PASSING = frozenset({408, 425, 429})  # and all from 500 on: statuses that may be others later
NDJSON, JSON = "application/fhir+ndjson", "application/json"


class NotSent(Exception):
    """The other side did not take it. `reason`: a code of the log; `is_final`: asking again is of no use."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(SAID[reason])
        self.reason, self.is_final = reason, is_final


# For the service and its operators; the log has the codes.
SAID: Mapping[str, str] = MappingProxyType(
    {
        "push.redirect": "The destination answered with a redirect. None is followed, wherever it leads.",
        "push.not-public": "The destination's name leads to an address that is not one of the open internet.",
        "push.key": "The destination answered with another key than the pinned one.",
        "push.refused": "The destination did not take the file.",
        "push.no-answer": "The destination did not answer.",
        "push.not-proven": "The challenge is not at the destination.",
        "push.not-allowed": "The operators' list of hosts does not have the destination any more.",
        "push.ended": "The destination has ended.",
    }
)


@dataclass(frozen=True, slots=True)
class Content:
    """What is put: its bytes, in pieces, with their number and SHA-256 (hexadecimal)."""

    pieces: Iterable[bytes]
    size: int
    sha256: str
    media_type: str = NDJSON

    @classmethod
    def of(cls, body: bytes, media_type: str = JSON) -> "Content":
        return cls([body], len(body), hashlib.sha256(body).hexdigest(), media_type)


def new_challenge() -> str:
    return secrets.token_urlsafe(32)


def challenge_address(destination: Destination) -> str:
    """Of an HTTPS address a well-known one at its origin (RFC 8615); of a bucket an object in it."""
    if destination.kind == Destination.Kind.BUCKET:
        return f"{destination.url}{WELL_KNOWN}{destination.pk}"
    parts = urlsplit(destination.url)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{destination.pk}"


def check_challenge(destination: Destination) -> None:
    """Raises NotSent."""
    status, body = _ask("GET", destination, challenge_address(destination), Content([], 0, EMPTY))
    if status != 200 or not hmac.compare_digest(body.strip(), destination.challenge.encode()):
        raise NotSent("push.not-proven", is_final=True)


def put(destination: Destination, path: str, content: Content) -> None:
    """Put a file below the destination. Raises NotSent, and what the pieces raise."""
    status, _ = _ask("PUT", destination, f"{destination.url}/{path}", content)
    if status not in GOOD:
        lasting = status < 500 and status not in PASSING
        raise NotSent("push.refused" if lasting else "push.no-answer", is_final=lasting)


def _ask(method: str, destination: Destination, address: str, content: Content) -> tuple[int, bytes]:
    deadline, patience = PATIENCE[method]
    sender = replace(SENDER, pins=frozenset(destination.pins), deadline=deadline, patience=patience)
    try:
        headers = _headers(method, destination, address, content)
        pieces = content.pieces if content.size else b""
        status, body, _ = sender.send(method, address, pieces, headers)
    except NotPublic as error:
        raise NotSent("push.not-public", is_final=True) from error
    except WrongKey as error:
        raise NotSent("push.key", is_final=True) from error
    except InvalidToken as error:
        raise NotSent("push.ended", is_final=True) from error
    except Unfetched as error:
        raise NotSent("push.no-answer", is_final=False) from error
    if 300 <= status < 400:
        raise NotSent("push.redirect", is_final=True)
    return status, body


def _headers(method: str, destination: Destination, address: str, content: Content) -> dict[str, str]:
    """Who sends, and what: the bearer token and RFC 9530, or AWS Signature Version 4."""
    told = (
        {} if method == "GET" else {"content-length": str(content.size), "content-type": content.media_type}
    )
    secret = destination.open_secret()
    if destination.kind == Destination.Kind.HTTPS:
        digest = base64.b64encode(bytes.fromhex(content.sha256)).decode()
        if method == "GET":  # what proves an address is there for everybody
            return told
        return told | {"authorization": f"Bearer {secret}", "content-digest": f"sha-256=:{digest}:"}
    access, _, key = secret.partition(":")
    signed = {
        "host": urlsplit(address).netloc.removesuffix(":443"),
        "x-amz-content-sha256": content.sha256,
        "x-amz-date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
    }
    proof = authorization(method, address, signed, access=access, secret=key, region=destination.region)
    del signed["host"]  # the fetcher's own
    return told | signed | {"authorization": proof}
