"""The log's keys, new and old: what they are called, and until when an old one counts.

`AUDIT_MAC_KEYS_OLD` is `key@time` and `AUDIT_SIGNING_KEYS_OLD` is `public key@size`, hexadecimal, with commas
between: an old key marks no row that was recorded later, and signs no checkpoint of a larger log. Without
`@...` both keys count, which is for the time of the change.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.conf import settings

from audit import notes
from audit.models import AuditEvent

FOREVER = datetime.max.replace(tzinfo=UTC)
ANY_SIZE = 2**63


def mac_keys() -> list[tuple[bytes, datetime]]:
    """Each key that marked rows and the time until which it did, the newest first. Raises `ValueError`."""
    old = [entry.partition("@") for entry in settings.AUDIT_MAC_KEYS_OLD]
    return [
        (settings.AUDIT_MAC_KEY, FOREVER),
        *((bytes.fromhex(key), datetime.fromisoformat(until) if until else FOREVER) for key, _, until in old),
    ]


def is_ours(
    leaf: bytes, mac: bytes, recorded_at: datetime, keys: Sequence[tuple[bytes, datetime]] = ()
) -> bool:
    """Whether the application marked this row, with a key that counted at the time; `keys` where they are
    known already."""
    return any(
        recorded_at <= until and hmac.compare_digest(hmac.digest(key, leaf, "sha256"), mac)
        for key, until in keys or mac_keys()
    )


def marker(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 of many texts by one key (RFC 2104), in half the time of `hmac.digest`."""
    sha256 = hashlib.sha256
    padded = (key if len(key) <= 64 else sha256(key).digest()).ljust(64, b"\0")
    inner, outer = bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)
    return lambda text: sha256(outer + sha256(inner + text).digest()).digest()


def is_authentic(event: AuditEvent) -> bool:
    """Whether the application wrote this payload: for the few events that say how the log itself was kept."""
    leaf = hashlib.sha256(b"\x00" + event.payload.encode()).digest()
    return leaf == bytes(event.leaf) and is_ours(leaf, bytes(event.writer_mac), event.recorded_at)


def verifiers() -> list[tuple[notes.Verifier, int]]:
    """Each key that signed checkpoints and the size up to which it did, the newest first. Raises
    `ValueError`."""
    signer = notes.signer()
    old = [entry.partition("@") for entry in settings.AUDIT_SIGNING_KEYS_OLD]
    return [
        (signer.verifier, ANY_SIZE),
        *(
            (notes.Verifier(signer.name, bytes.fromhex(key)), int(size) if size else ANY_SIZE)
            for key, _, size in old
        ),
    ]


def open_checkpoint(note: str) -> notes.TreeHead:
    """Verify a checkpoint with the key that signed it. Raises `notes.InvalidNote`."""
    failure: notes.InvalidNote | None = None
    for verifier, most in verifiers():
        try:
            head = notes.open_checkpoint(note, verifier)
        except notes.InvalidNote as error:
            failure = failure if "wrong" in str(failure) else error
            continue
        if head.size > most:
            raise notes.InvalidNote("it is signed with a key that counts no more")
        return head
    raise failure or notes.InvalidNote("nobody signed it")


def mac_key_id(key: bytes) -> str:
    """A name for a secret that says nothing of it."""
    return hmac.digest(key, b"name of this key", "sha256")[:6].hex()


def in_use() -> dict[str, str]:
    """The name of the newest key of each kind, as it stands in the log when keys are changed."""
    public = notes.signer().verifier.public_key
    return {"mac": mac_key_id(settings.AUDIT_MAC_KEY), "signing": hashlib.sha256(public).digest()[:6].hex()}
