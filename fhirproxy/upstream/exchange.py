"""One request to one server and its whole answer, within bounds; failures as UpstreamUnavailable."""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from fhirproxy import addresses
from fhirproxy.messages import FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.upstream import wire

CHUNK = 1024 * 1024  # bytes
# Which headers of an answer are read; the rest is the EHR's own business.
KEPT = frozenset({"content-type", "etag", "last-modified", "location", "retry-after", "content-location"})


@dataclass(frozen=True, slots=True)
class Bounds:
    connect: float  # seconds, as the next two
    read: float  # between two bytes
    deadline: float  # of the whole, with retries
    max_bytes: int


class Server:
    """One origin, with the connections that are kept to it."""

    def __init__(self, base_url: str, bounds: Bounds, size: int) -> None:
        origin = addresses.origin_of(base_url)
        if origin is None:
            raise UpstreamUnavailable("the address is none", Trouble.CONNECT)
        self.bounds, self.origin = bounds, origin
        self.path = urlsplit(base_url).path.rstrip("/")
        self._pool = wire.pool(*origin, size)

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> FhirResponse:
        """`target` is path and query. To be called `within` a deadline. Raises UpstreamUnavailable."""
        with _named():
            answer = self._pool.urlopen(
                method,
                target,
                body=body or None,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=urllib3.Timeout(connect=self._at_most(self.bounds.connect), read=self.bounds.read),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            whole = False
            try:
                content = self._read(answer)
                whole = True
            finally:
                if whole:
                    answer.release_conn()
                else:
                    answer.close()  # what is left in the pipe must not be the next answer
        found = {name.lower(): value for name, value in answer.headers.items() if name.lower() in KEPT}
        return FhirResponse(answer.status, found, content)

    def lines(self, target: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """An answer that is as long as it likes, line by line: each line has its bound, and so has the time
        of each piece. Raises UpstreamUnavailable, also for what is no 200."""
        with _named(), self._opened(target, headers) as answer:
            rest = bytearray()
            while piece := self._piece(answer):
                *whole, last = (bytes(rest) + piece).split(b"\n")
                rest = bytearray(last)
                if len(rest) > self.bounds.max_bytes:
                    raise UpstreamUnavailable("too large a line", Trouble.TOO_LARGE)
                yield from whole
            yield bytes(rest)

    @contextmanager
    def _opened(self, target: str, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        with within(self.bounds.deadline):
            answer = self._pool.urlopen(
                "GET",
                target,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=urllib3.Timeout(connect=self._at_most(self.bounds.connect), read=self.bounds.read),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        try:
            if answer.status != 200 or answer.headers.get("Content-Encoding", "identity") != "identity":
                raise UpstreamUnavailable("a file is not there", Trouble.CUT_OFF)
            yield answer
        finally:
            answer.close()

    def _piece(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        with within(self.bounds.deadline):
            return answer.read(CHUNK)

    def _read(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        if answer.status < 200:  # one comes after it, and would be taken for the answer to the next request
            raise UpstreamUnavailable("a word before the answer", Trouble.CUT_OFF)
        if 300 <= answer.status < 400 and answer.status != 304:
            raise UpstreamUnavailable("a redirect is not followed", Trouble.REDIRECT)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise UpstreamUnavailable("an encoding that nobody asked for", Trouble.NOT_FHIR)
        limit = self.bounds.max_bytes
        announced = answer.headers.get("Content-Length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise UpstreamUnavailable("too large an answer", Trouble.TOO_LARGE)
        content = bytearray()
        while part := answer.read(CHUNK):  # to its end: only there does a short answer show
            content += part
            if len(content) > limit:
                raise UpstreamUnavailable("too large an answer", Trouble.TOO_LARGE)
        return bytes(content)

    def _at_most(self, seconds: float) -> float:
        remaining = wire.left()
        if remaining <= 0:
            raise UpstreamUnavailable("the deadline has passed", Trouble.TIMEOUT)
        return min(seconds, remaining)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All that this thread waits for inside ends after as many seconds."""
    before = wire.DEADLINE.at
    wire.DEADLINE.at = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        wire.DEADLINE.at = before


# OpenSSL's codes of what is wrong with a certificate (X509_V_ERR_…, openssl-verification-options).
CERTIFICATES = {
    **dict.fromkeys((9, 10), Trouble.TLS_EXPIRED),
    **dict.fromkeys((18, 19, 20, 21), Trouble.TLS_OWN),
    **dict.fromkeys((62, 64), Trouble.TLS_NAME),
}


def _of_tls(error: exceptions.SSLError) -> Trouble:
    cause = next((a for a in error.args if isinstance(a, ssl.SSLCertVerificationError)), None)
    return CERTIFICATES.get(cause.verify_code, Trouble.TLS) if cause else Trouble.TLS


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except (exceptions.TimeoutError, TimeoutError) as error:
        silent = isinstance(error, exceptions.ConnectTimeoutError)
        trouble = Trouble.CONNECT if silent else Trouble.TIMEOUT
        raise UpstreamUnavailable(type(error).__name__, trouble) from error
    except exceptions.NewConnectionError as error:
        raise UpstreamUnavailable(type(error).__name__, Trouble.CONNECT) from error
    except exceptions.SSLError as error:
        raise UpstreamUnavailable(type(error).__name__, _of_tls(error)) from error
    except (exceptions.HTTPError, OSError, ValueError) as error:  # of a number that cannot be read
        raise UpstreamUnavailable(type(error).__name__, Trouble.CUT_OFF) from error
