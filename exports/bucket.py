"""Sealed files in an S3-compatible store: put, read by range, deleted. Signed as `audit.bucket` signs."""

import hashlib
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from django.conf import settings

from audit.bucket import authorization

TIMEOUT = urllib3.Timeout(connect=3, read=60)
EMPTY = hashlib.sha256(b"").hexdigest()
_http = urllib3.PoolManager(retries=False)


def is_used() -> bool:
    return bool(settings.EXPORT_BUCKET)


def put(key: str, path: Path) -> None:
    """Raises OSError where the store does not take it."""
    with path.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
        body.seek(0)
        size = {"content-length": str(path.stat().st_size)}
        _ask("PUT", key, digest, also=size, body=body, expected=(200, 201))


def delete(key: str) -> None:
    """Nothing there is fine. Raises OSError."""
    _ask("DELETE", key, EMPTY, expected=(200, 204, 404))


def opened(key: str, size: int) -> io.BufferedReader:
    return io.BufferedReader(_Object(key, size), buffer_size=4 * 64 * 1024)


class _Object(io.RawIOBase):
    """An object of known size, read by ranges (RFC 9110, 14)."""

    def __init__(self, key: str, size: int) -> None:
        self._key, self._size, self._at = key, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        until = min(self._at + len(buffer), self._size)
        if self._at >= until:
            return 0
        wanted = {"range": f"bytes={self._at}-{until - 1}"}
        part = _ask("GET", self._key, EMPTY, also=wanted, expected=(206,))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def _ask(
    method: str,
    key: str,
    digest: str,
    *,
    expected: tuple[int, ...],
    also: dict[str, str] | None = None,
    body: io.BufferedReader | None = None,
) -> bytes:
    address = f"{settings.EXPORT_BUCKET.rstrip('/')}/{key}"
    headers = {
        "host": urlsplit(address).netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
    }
    access, _, secret = settings.EXPORT_BUCKET_KEY.partition(":")
    headers["authorization"] = authorization(
        method, address, headers, access=access, secret=secret, region=settings.EXPORT_BUCKET_REGION
    )
    try:
        answer = _http.request(
            method, address, body=body, headers=headers | (also or {}), timeout=TIMEOUT, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise OSError(type(error).__name__) from error
    if answer.status not in expected:
        raise OSError(f"the store answered {answer.status}")
    return answer.data
