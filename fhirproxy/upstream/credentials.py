"""How we show an EHR who we are: not at all, HTTP Basic, or SMART Backend Services (HL7 SMART 2.2, 4).

A token is kept in this process until shortly before it ends, and goes to the EHR's own origin only.
"""

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from fhirproxy.messages import FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.upstream import wire
from fhirproxy.upstream.exchange import Bounds, Server

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 240  # seconds of an assertion; SMART allows 300
EARLY = 30  # seconds before its end, a token is not used any more
LARGEST_ANSWER = 64 * 1024
ALGORITHMS = {"RSA": "RS384", "EC": "ES384"}  # those that SMART asks servers to take
UNUSABLE = (JWException, ValueError, KeyError, TypeError)  # what a key that does not sign can raise


class Credentials(Protocol):
    def header(self, *, fresh: bool = False) -> str:
        """The value of Authorization; empty: none. `fresh`: what was sent last was not taken.

        Raises UpstreamUnavailable where none can be had.
        """

    @property
    def renewable(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """None, or Basic."""

    value: str = ""
    renewable: bool = False

    def header(self, *, fresh: bool = False) -> str:
        return self.value


def basic(name: str, password: str) -> Fixed:
    return Fixed("Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())


def signs(key: str) -> bool:
    """Whether it is a private JWK that SMART Backend Services can be spoken with."""
    try:
        return bool(_signed(key, {}))
    except UNUSABLE:
        return False


def _signed(key: str, claims: dict[str, object]) -> str:
    """A JWT. Raises one of UNUSABLE."""
    private = JWK.from_json(key)
    header = {
        "alg": ALGORITHMS[private["kty"]],
        "typ": "JWT",
        "kid": private.get("kid") or private.thumbprint(),
    }
    token = JWT(header=header, claims=claims)
    token.make_signed_token(private)
    return str(token.serialize())


class BackendServices:
    """Client credentials with a signed assertion (RFC 7523); `key` is a private JWK as JSON."""

    renewable = True

    def __init__(
        self,
        client_id: str,
        key: str,
        token_url: str,
        scope: str,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client_id, self._key, self._token_url, self._scope = client_id, key, token_url, scope
        self._server = Server(token_url, replace(bounds, max_bytes=LARGEST_ANSWER), 1)
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._ends_at = "", 0.0

    def header(self, *, fresh: bool = False) -> str:
        refused = self._token if fresh else ""
        # Many may find that it has ended; one asks, and the others wait as long as each of them may.
        if not self._lock.acquire(timeout=max(0, min(wire.left(), threading.TIMEOUT_MAX))):
            raise UpstreamUnavailable("the token did not come in time", Trouble.TIMEOUT)
        try:
            if self._token == refused or self._clock() >= self._ends_at - EARLY:
                self._token, self._ends_at = self._ask()
            return f"Bearer {self._token}"
        finally:
            self._lock.release()

    def _ask(self) -> tuple[str, float]:
        form = {
            "grant_type": "client_credentials",
            "scope": self._scope,
            "client_assertion_type": ASSERTION,
            "client_assertion": self._assertion(),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        target = urlsplit(self._token_url).path or "/"
        answer = self._server.exchange("POST", target, headers, urlencode(form).encode())
        return self._read(answer)

    def _read(self, answer: FhirResponse) -> tuple[str, float]:
        try:
            said = json.loads(answer.body)
            token, lasts = said["access_token"], float(said.get("expires_in", 60))
            good = isinstance(token, str) and token.isprintable() and token.isascii() and token
        except (ValueError, KeyError, TypeError, AttributeError):
            good = ""
        if answer.status != 200 or not good:
            raise UpstreamUnavailable("the token endpoint gave no token", Trouble.CREDENTIALS)
        return str(token), self._clock() + lasts

    def _assertion(self) -> str:
        try:
            now = int(self._clock())
            claims = {
                "iss": self._client_id,
                "sub": self._client_id,
                "aud": self._token_url,
                "jti": str(uuid.uuid4()),
                "exp": now + LIFETIME,
                "iat": now,
            }
            return _signed(self._key, claims)
        except UNUSABLE as error:
            raise UpstreamUnavailable("the private key cannot be used", Trouble.CREDENTIALS) from error
