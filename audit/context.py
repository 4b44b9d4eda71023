"""From where a request came and by what right, for its events: coarse for the patient, exact under a key that
can be destroyed.

The middleware opens a context; `audit.log.record` reads it; receipts of what was recorded come back in it.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

MOST_AGENT = 300  # characters of a User-Agent
LOOKS = {  # the first that the User-Agent holds
    "ipad": "tablet",
    "tablet": "tablet",
    "mobi": "phone",
    "mozilla": "computer",
}


# Of an event that no request made: a task or a command of ours.
INTERNAL: dict[str, str | int] = {"assurance": "internal", "device": "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What somebody showed to be let in: a session or a token, and how surely it is theirs.

    `assurance` is "sfa" or "mfa" for a person (REFEDS), "client" for a program that proved itself, "unknown"
    where nothing was kept of a sign-in, "none" for what proves nothing. `methods` are words of RFC 8176 for
    people, and of OAuth (token_endpoint_auth_method) for clients.
    """

    assurance: str = "none"
    methods: Collection[str] = ()
    secret: str = ""  # "token <SHA-256>" or "session <key>"; the log has a keyed hash of it under that name

    def told(self) -> dict[str, str]:
        said = {"assurance": self.assurance, "methods": "|".join(sorted(self.methods))}
        if self.secret:
            said[self.secret.partition(" ")[0]] = reference(self.secret)
        return {name: value for name, value in said.items() if value}


@dataclass(slots=True)
class Context:
    """One request: when it began (monotonic), and who asked by what."""

    started: float
    device: str
    network: str  # coarse
    address: str  # exact
    agent: str
    request: HttpRequest
    credential: Credential | None = None  # a token; a session is asked for when something is recorded
    receipts: list[str] = field(default_factory=list)
    # How the person proved, for what the request does, that it is them: stepup_action, _method, _at.
    proof: dict[str, str | int] = field(default_factory=dict)

    def told(self) -> dict[str, str | int]:
        """What stands in the event for everybody who may read it."""
        took = round((time.monotonic() - self.started) * 1000)
        shown = self.credential or _of_session()(self.request)
        where: dict[str, str | int] = {"device": self.device, "network": self.network}
        return {**where, "milliseconds": took, **self._page(), **shown.told(), **self.proof}

    def _page(self) -> dict[str, str | int]:
        """The page's name, without what its address says of anybody; a machine's request has none."""
        match = self.request.resolver_match
        return {"page": match.view_name} if match and match.url_name else {}

    def erasable(self) -> dict[str, str]:
        return {"address": self.address, "agent": self.agent}


current: ContextVar[Context | None] = ContextVar("audit_context", default=None)


def of_request(request: HttpRequest) -> Context:
    address = _address(request)
    agent = request.headers.get("User-Agent", "")[:MOST_AGENT]
    return Context(time.monotonic(), _device(agent), coarse(address), address, agent, request)


def present(credential: Credential) -> None:
    """What follows in this request was asked for with this token, or by this client."""
    if here := current.get():
        here.credential = credential


def reference(secret: str) -> str:
    """What the log calls a token or a session: who has the row of it finds its events, and nobody the token.

    32 hexadecimal digits.
    """
    return hmac.digest(settings.FIELD_KEY, b"audit credential " + secret.encode(), "sha256")[:16].hex()


@cache
def _of_session() -> Callable[[HttpRequest], Credential]:
    """`smart` knows how people sign in, and this room does not."""
    return cast(Callable[[HttpRequest], Credential], import_string(settings.AUDIT_CREDENTIAL))


def _address(request: HttpRequest) -> str:
    """The address that our own outermost proxy saw, or the peer's where we have none."""
    given = [a.strip() for a in request.headers.get("X-Forwarded-For", "").split(",")]
    count = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    return given[-count] if 0 < count <= len(given) else request.META.get("REMOTE_ADDR", "")


def coarse(address: str) -> str:
    """The /24 or /48 that an address is in: enough to see "that was not from here"."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if ip.is_loopback:
        return "loopback"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def _device(agent: str) -> str:
    lower = agent.lower()
    return next((kind for word, kind in LOOKS.items() if word in lower), "program" if agent else "unknown")
