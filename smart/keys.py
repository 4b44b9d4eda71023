"""Public keys of clients: as registered, or read from their `jwks_uri`.

What is fetched is an address that somebody else chose, so the fetcher goes to public
addresses only, over TLS, to the very address that it checked, follows nothing, and reads
little for a short time (threat A8).
"""

import base64
import hashlib
import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import structlog
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from smart.jwts import read_json
from smart.models import Client, KeySet

LARGEST = 64 * 1024  # bytes of an answer
DEADLINE = 3.0  # seconds for all of it
UNSAID, MOST_FRESH = timedelta(minutes=1), timedelta(hours=24)
STALE_FOR = timedelta(hours=24)  # after its last reading, while the address fails, and named no time
PAUSE = timedelta(seconds=30)  # between two readings of one address that failed, or for an unknown kid
TOGETHER = timedelta(seconds=1)  # who ask at the same time share one reading, even of `no-store`
NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b")
MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})")
MOST_KEYS = 20
log = structlog.get_logger("chartkey.keys")


class Unfetched(Exception):
    """There is no answer that may be used; the message names no address."""


class NotPublic(Unfetched):
    """The name leads to an address that is not one of the open internet."""


class WrongKey(Unfetched):
    """Whoever answers has a certificate, and another key than we know."""


def is_public(ip: str) -> bool:
    """Whether an address is one of the open internet, looking through IPv4 that is written as IPv6."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


NAT64 = ipaddress.ip_network("64:ff9b::/96")


def addresses_of(host: str, port: int) -> list[str]:
    """Every IP address of a host. Raises Unfetched."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unfetched("the name has no address") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def spki_pin(certificate: bytes) -> str:
    """By which a key is known (RFC 7469, 2.4), of a certificate in DER. Raises ValueError."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Speaks with addresses of others. What tests change is what they cannot have: a public address."""

    resolve: Callable[[str, int], list[str]] = addresses_of
    may_call: Callable[[str], bool] = is_public
    ca_certs: str | None = None
    deadline: float = DEADLINE
    patience: float = DEADLINE  # seconds for each step of it
    pins: frozenset[str] = frozenset()  # `spki_pin`s, one of which must be theirs; empty: any key

    def get(self, url: str) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a 200. Raises Unfetched."""
        status, body, headers = self.send("GET", url, b"", {"Accept": "application/json"})
        if status != 200:
            raise Unfetched("the answer is no 200")
        return body, headers

    def send(
        self, method: str, url: str, body: bytes | Iterable[bytes], headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """One request to one pinned address; redirects are answers like others. Raises Unfetched.

        A body in pieces needs its Content-Length among the headers. What it raises itself is passed on.
        """
        host, port, target = _parts_of(url)
        found = self.resolve(host, port)
        if not found or not all(self.may_call(ip) for ip in found):
            raise NotPublic("the address is not a public one")
        pool = urllib3.HTTPSConnectionPool(
            found[0],  # the one that was checked: a name may mean another address a moment later
            port,
            server_hostname=host,
            assert_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self.ca_certs,
            timeout=urllib3.Timeout(connect=self._step, read=self._step),
            retries=False,
            maxsize=1,
        )
        try:
            return self._within_deadline(
                pool, method, target, body, {"Host": _host_header(host, port), **headers}
            )
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError) as error:
            raise Unfetched(type(error).__name__) from error
        finally:
            pool.close()

    def _within_deadline(
        self,
        pool: urllib3.HTTPSConnectionPool,
        method: str,
        target: str,
        body: bytes | Iterable[bytes],
        headers: Mapping[str, str],
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """A socket's own time-out begins anew with each byte; this one ends the whole."""
        connection = pool._get_conn()
        ends_at = time.monotonic() + self.deadline
        timer = threading.Timer(self.deadline, _cut, [connection])
        timer.daemon = True
        timer.start()
        try:
            connection.timeout = self._step
            if self.pins:
                self._check_key(connection)
            connection.request(
                method,
                target,
                body=body or None,
                headers={"Accept-Encoding": "identity", **headers},
                preload_content=False,
                decode_content=False,
            )
            answer = connection.getresponse()
            content = answer.read(LARGEST + 1)
            if len(content) > LARGEST or time.monotonic() > ends_at:
                raise Unfetched("the answer is too large, or too slow")
            return answer.status, content, {k.lower(): v for k, v in answer.headers.items()}
        finally:
            timer.cancel()
            connection.close()

    @property
    def _step(self) -> float:
        return min(self.patience, self.deadline)

    def _check_key(self, connection: Any) -> None:
        """Before anything is said to them. Raises WrongKey."""
        connection.connect()
        if spki_pin(connection.sock.getpeercert(binary_form=True)) not in self.pins:
            raise WrongKey("the key is another one")


def _cut(connection: Any) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _parts_of(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise Unfetched("the address cannot be read") from error
    if (
        parts.scheme != "https"
        or not host
        or "@" in parts.netloc
        or not url.isascii()
        or not url.isprintable()
    ):
        raise Unfetched("the address is not of https")
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _host_header(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == 443 else f"{name}:{port}"


FETCHER = Fetcher()


def keys_of(client: Client, kid: str = "") -> list[dict[str, Any]]:
    """The client's public keys, as last known; fetches nothing (see `refresh`)."""
    keys = client.jwks or {}
    if client.jwks_uri:
        kept = KeySet.objects.filter(client=client, uri=client.jwks_uri).first()
        usable = kept and kept.fetched_at and timezone.now() < kept.fetched_at + STALE_FOR
        keys = kept.keys if kept and usable else {}
    return list(_listed(keys))


def _listed(keys: Any) -> list[dict[str, Any]]:
    found = keys.get("keys") if isinstance(keys, dict) else None
    return [key for key in found if isinstance(key, dict)][:MOST_KEYS] if isinstance(found, list) else []


def refresh(client: Client, kid: str = "", fetcher: Fetcher | None = None) -> None:
    """Read `jwks_uri` again where what is kept is old or lacks `kid`. To be called outside a transaction.

    Nothing is kept longer than its Cache-Control says (SMART 2.2, row 341). Where that says nothing, an
    address that fails leaves what is kept, which holds for STALE_FOR.
    """
    if not client.jwks_uri:
        return
    now = timezone.now()
    kept = KeySet.objects.filter(client=client, uri=client.jwks_uri).first()
    if kept is not None and not _wants_reading(kept, kid, now):
        return
    KeySet.objects.update_or_create(
        client=client,
        defaults={"tried_at": now, "uri": client.jwks_uri} | (NO_KEYS if kept is None else {}),
    )
    try:
        body, headers = (fetcher or FETCHER).get(client.jwks_uri)
        found = read_json(body)
        if not _listed(found):
            raise Unfetched("there are no keys in it")
    except (Unfetched, ValueError, RecursionError) as error:
        log.warning("keys_unread", client_id=client.client_id, reason=type(error).__name__)
        if kept is not None and _is_over(kept, now):
            KeySet.objects.filter(client=client).update(**NO_KEYS)
        return
    said = lifetime_of(headers.get("cache-control", ""))
    KeySet.objects.filter(client=client).update(
        keys=found,
        fetched_at=now,
        fresh_until=now + (UNSAID if said is None else said),
        may_be_stale=said is None,
    )


NO_KEYS: dict[str, Any] = {"keys": {}, "fetched_at": None, "fresh_until": None}


def _wants_reading(kept: KeySet, kid: str, now: datetime) -> bool:
    if kept.fresh_until is not None and now < kept.fresh_until:
        known = not kid or any(key.get("kid") == kid for key in _listed(kept.keys))
        return not known and now >= kept.tried_at + PAUSE
    failed = kept.fetched_at is None or kept.fetched_at < kept.tried_at
    return now >= kept.tried_at + (PAUSE if failed else TOGETHER)


def _is_over(kept: KeySet, now: datetime) -> bool:
    """Whether its server let nobody keep it until now."""
    return not kept.may_be_stale and (kept.fresh_until is None or now >= kept.fresh_until)


def lifetime_of(cache_control: str) -> timedelta | None:
    """How long an answer may be kept (RFC 9111, 5.2.2), a day at most; None where that is not said."""
    said = cache_control.lower()
    if NOT_KEPT.search(said):
        return timedelta(0)
    age = MAX_AGE.search(said)
    return min(timedelta(seconds=int(age[1])), MOST_FRESH) if age else None
