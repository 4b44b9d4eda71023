"""Connections that keep a deadline: the whole of an answer, headers too, or nothing.

A socket's own timeout starts again with every byte, so a server that sends one a second holds a
worker for as long as it likes.
"""

import io
import threading
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Deadline(threading.local):
    at = float("inf")  # by the monotonic clock


DEADLINE = _Deadline()  # of what this thread is waiting for


def left() -> float:
    return DEADLINE.at - time.monotonic()


class _Raw(io.RawIOBase):
    """Reads from a socket, and waits no longer than is left."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._patience = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = left()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        patience = remaining if self._patience is None else min(self._patience, remaining)
        self._sock.settimeout(patience)
        return self._raw.readinto(buffer)

    def readall(self) -> bytes:
        """What has no end is not read: a chunk of the length -1 would be, whatever may be read at most."""
        raise OSError("nobody reads without a bound")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """A socket whose files keep the deadline; all else is the socket's own."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self._sock))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _Tls(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Tls


def pool(scheme: str, host: str, port: int, size: int) -> urllib3.HTTPConnectionPool:
    """Kept connections to one origin. Certificates are checked; redirects and retries are not made."""
    kind = _TlsPool if scheme == "https" else _PlainPool
    return kind(host, port, maxsize=size, retries=False)
