"""Files at rest: each job has a key of its own, and a file is a row of segments under AES-256-GCM.

Segments are those of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the place of each, and whether it is
the last, are authenticated, so that none can be left out, moved, or put into another file. The nonce is drawn
and not counted, since a run that was killed writes a segment again with what may be other content.

The job's key is wrapped by a key that is derived from FIELD_KEY. Without the wrapped key, what is left of
the files on any disk or in any backup is noise.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

SEGMENT = 64 * 1024  # bytes of content in each segment but the last
NONCE, TAG = 12, 16
SEALED = NONCE + SEGMENT + TAG


class Destroyed(Exception):
    """The key is gone, or is none of this site's: nobody can read the files any more."""


@dataclass(frozen=True, slots=True)
class Box:
    """Seals and opens the segments of one file."""

    key: AESGCM
    place: bytes  # job and file

    def seal(self, content: bytes | memoryview, index: int, *, is_last: bool = False) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self.key.encrypt(nonce, content, self._said(index, is_last))

    def open(self, sealed: bytes, index: int, *, is_last: bool = False) -> bytes:
        """Raises Destroyed for what this place does not hold."""
        try:
            return self.key.decrypt(sealed[:NONCE], sealed[NONCE:], self._said(index, is_last))
        except (InvalidTag, ValueError) as error:
            raise Destroyed from error

    def _said(self, index: int, is_last: bool) -> bytes:
        return self.place + index.to_bytes(8) + bytes([is_last])


def new_key(job_id: UUID) -> str:
    """A key for one job, wrapped."""
    nonce = secrets.token_bytes(NONCE)
    sealed = _wrapper().encrypt(nonce, AESGCM.generate_key(256), job_id.bytes)
    return base64.b64encode(nonce + sealed).decode()


def box(wrapped_key: str, job_id: UUID, file_id: UUID) -> Box:
    """Raises Destroyed."""
    raw = base64.b64decode(wrapped_key)
    try:
        key = _wrapper().decrypt(raw[:NONCE], raw[NONCE:], job_id.bytes)
    except (InvalidTag, ValueError) as error:
        raise Destroyed from error
    return Box(AESGCM(key), job_id.bytes + file_id.bytes)


def sealed_size(size: int) -> int:
    """Of a whole file on disk. Its last segment is there even where it is empty."""
    return size + (size // SEGMENT + 1) * (NONCE + TAG)


def _wrapper() -> AESGCM:
    return AESGCM(hmac.digest(settings.FIELD_KEY, b"export keys", "sha256"))
