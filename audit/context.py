"""From where a request came, for its events: coarse for the patient, exact under a key that can be destroyed.

The middleware opens a context; `audit.log.record` reads it; receipts of what was recorded come back in it.
"""

import ipaddress
import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest

MOST_AGENT = 300  # characters of a User-Agent
LOOKS = {  # the first that the User-Agent holds
    "ipad": "tablet",
    "tablet": "tablet",
    "mobi": "phone",
    "mozilla": "computer",
}


@dataclass(slots=True)
class Context:
    """One request: when it began (monotonic), and who asked by what."""

    started: float
    device: str
    network: str  # coarse
    address: str  # exact
    agent: str
    receipts: list[str] = field(default_factory=list)

    def told(self) -> dict[str, str | int]:
        """What stands in the event for everybody who may read it."""
        took = round((time.monotonic() - self.started) * 1000)
        return {"device": self.device, "network": self.network, "milliseconds": took}

    def erasable(self) -> dict[str, str]:
        return {"address": self.address, "agent": self.agent}


current: ContextVar[Context | None] = ContextVar("audit_context", default=None)


def of_request(request: HttpRequest) -> Context:
    address = _address(request)
    agent = request.headers.get("User-Agent", "")[:MOST_AGENT]
    return Context(time.monotonic(), _device(agent), _coarse(address), address, agent)


def _address(request: HttpRequest) -> str:
    """The address that our own outermost proxy saw, or the peer's where we have none."""
    given = [a.strip() for a in request.headers.get("X-Forwarded-For", "").split(",")]
    count = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    return given[-count] if 0 < count <= len(given) else request.META.get("REMOTE_ADDR", "")


def _coarse(address: str) -> str:
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
