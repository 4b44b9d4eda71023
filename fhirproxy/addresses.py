"""Addresses of EHRs: what a base may be, and whether a link leads to where it must.

Origins are compared after parsing, never as the beginnings of texts: `https://ehr.example.attacker`
begins with `https://ehr.example` (CVE-2026-34359).
"""

import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

PORTS = {"http": 80, "https": 443}
PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
# Dots, slashes and ends of text that a server may see where we do not.
DISGUISED = re.compile(r"%(?:2e|2f|5c|00)|//|(?:^|/)\.{1,2}(?:/|$)", re.IGNORECASE)


def problem(url: str, plain_hosts: frozenset[str] = frozenset(), *, any_plain: bool = False) -> str:
    """What is wrong with the base address of a server, as a sentence; empty where nothing is.

    http is for this machine, for `plain_hosts`, and with `any_plain`.
    """
    origin = origin_of(url)
    if origin is None:
        return "The address is not one of http or https."
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        return "The address has a name or a password in it. Put them into auth_id and the secret."
    if parts.query or parts.fragment:
        return "The address has a query or a fragment. Only its base is wanted."
    if not PLAIN_PATH.fullmatch(parts.path) or DISGUISED.search(parts.path):
        return "The path of the address has characters that none has."
    if origin[0] == "http" and not (any_plain or origin[1] in plain_hosts or _is_loopback(origin[1])):
        return "The address must begin with https://."
    return ""


def origin_of(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) as RFC 6454 compares them; None for what has none."""
    try:
        return _origin(urlsplit(url))
    except ValueError:
        return None


def within(base: str, link: str) -> tuple[str, str] | None:
    """(path below the base, query) of a link that an EHR gave; None if it leads anywhere else.

    A link without an origin is relative to the base.
    """
    base = base.rstrip("/") + "/"
    try:
        target = urlsplit(urljoin(base, link))
        userinfo = target.username is not None or target.password is not None
        if userinfo or _origin(target) is None or _origin(target) != _origin(urlsplit(base)):
            return None
    except ValueError:
        return None
    if not PLAIN_PATH.fullmatch(target.path) or DISGUISED.search(target.path):
        return None
    root = urlsplit(base).path
    if not f"{target.path}/".startswith(root):
        return None
    return target.path[len(root) :], target.query


def _origin(parts: SplitResult) -> tuple[str, str, int] | None:
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname.rstrip("."), parts.port or PORTS[parts.scheme]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
