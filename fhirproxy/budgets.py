"""How much a client, a patient's record, a person and an address may ask for, and what happens beyond.

A budget is a limit in a window of time. What is refused for one budget spends none of the others, and the
budgets of one patient with one client are the smallest: so nobody can use up what belongs to all. An
exhausted budget is a 429 with Retry-After and, once for each window, an event in the log.
"""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from audit.events import EventType, Role
from audit.log import ANONYMOUS, Entry, Outcome, record
from consent import bearers
from consent.requester import Requester
from fhirproxy.counters import Counter, Counters
from fhirproxy.outcomes import Refusal

MINUTE, HOUR = 60, 3600
MOST_KNOWN = 10_000  # tokens

# By what is counted, which is the second half of a budget's name; the cure is in it (FHIR R4, 2.29).
SAID: Mapping[str, str] = {
    "requests": "Too many requests in a short time. Try again in {wait} seconds.",
    "refusals": "Too many requests that had to be refused. Ask for what the scopes and the patient allow, "
    "and for ids that a search gave. Try again in {wait} seconds.",
    "resources": "Too many resources in one hour. Ask for what has changed (_lastUpdated), "
    "and try again in {wait} seconds.",
    "polls": "You ask too often how the export gets on. Wait as long as Retry-After says: {wait} seconds.",
    "exports": "Too many exports in one hour. Ask for what has changed (_since), "
    "and try again in {wait} seconds.",
    "writes": "Too many changes in one hour. Try again in {wait} seconds.",
    "tokens": "Too many unknown access tokens came from your address. Get a new access token, "
    "and try again in {wait} seconds.",
}


@dataclass(frozen=True, slots=True)
class Budget:
    """So many of something for each subject in a window of seconds. The name is "subject.something"."""

    name: str
    limit: int
    window: int = MINUTE

    @property
    def counted(self) -> str:
        return self.name.partition(".")[2]


BUDGETS = (
    Budget("client-patient.requests", 300),
    Budget("patient.requests", 600),  # of all clients
    Budget("client.requests", 6_000),
    Budget("client-patient.refusals", 60),  # against guessing: ids, types, other patients
    Budget("client.refusals", 600),
    Budget("client-patient.resources", 20_000, HOUR),
    Budget("client.resources", 500_000, HOUR),
    Budget("job.polls", 40),  # of a bulk export (`exports.bulk`), which says itself when to ask again
    Budget("client.exports", 60, HOUR),
    Budget("client-patient.writes", 120, HOUR),  # proposed changes: people have to look at them
    Budget("client.writes", 12_000, HOUR),
    Budget("person.writes", 60, HOUR),
    Budget("person.requests", 1_200),  # somebody who signed in; a page of the portal asks a few times
    Budget("link.requests", 60),  # of one SMART Health Link
    Budget("address.requests", 12_000),
    Budget("address.tokens", 60),  # that nobody was ever given
)


@cache
def budgets() -> Mapping[str, Budget]:
    """The table with what settings change of it, by name. Raises ImproperlyConfigured for an unknown name."""
    if unknown := set(settings.BUDGETS) - {budget.name for budget in BUDGETS}:
        raise ImproperlyConfigured(f"BUDGETS names {', '.join(sorted(unknown))}; see docs/operations.md.")
    limits = {budget.name: settings.BUDGETS.get(budget.name, budget.limit) for budget in BUDGETS}
    return {b.name: replace(b, limit=limits[b.name] * settings.BUDGET_FACTOR) for b in BUDGETS}


@cache
def tally() -> Counters:
    return Counters(settings.REDIS_URL, processes=settings.WEB_PROCESSES)


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as budgets count it: an IPv4 address or an IPv6 /64; empty if unknown.

    X-Forwarded-For is believed for as many proxies of our own as settings count, from the right.
    """
    trusted = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    # A header that is too short came around our proxies: who is connected is then all that is sure.
    believed = forwarded[-trusted] if 0 < trusted <= len(forwarded) else ""
    return _network(believed) or _network(request.META.get("REMOTE_ADDR", ""))


def _network(text: str) -> str:
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def from_bearer(token: str, address: str) -> Requester | None:
    """`consent.bearers.from_bearer` behind the budgets of an address. Raises Refusal (429)."""
    admit_address(address, token)
    requester = bearers.from_bearer(token)
    if requester is None:
        strike(address, token)
    else:
        _known.add(token)
    return requester


def admit_address(address: str, token: str = "") -> None:
    """Count a request of an address ("" is not counted), before it costs SQL. Raises Refusal (429).

    An address that sent too much junk is shut out, but for tokens that were good here before: behind
    one address there may be a whole clinic.
    """
    if not address:
        return
    watching = () if token in _known else (_counter("address.tokens", address),)
    if full := tally().take([_counter("address.requests", address)], watching):
        raise _refusal(full)


def strike(address: str, token: str = "") -> None:
    """Count a token that nobody was given."""
    _known.discard(token)
    if address:
        tally().add(_counter("address.tokens", address))


def admit_link(link_id: UUID) -> None:
    """Count a request of a SMART Health Link. Raises Refusal (429)."""
    if full := tally().take([_counter("link.requests", str(link_id))], []):
        raise _refusal(full)


def admit(requester: Requester) -> None:
    """Count one interaction, before it is decided on. Raises Refusal (429)."""
    if requester.client:
        pair = f"{requester.client}|{requester.patient_id}"
        spending = [
            _counter("client-patient.requests", pair),
            _counter("patient.requests", str(requester.patient_id)),
            _counter("client.requests", requester.client),
        ]
        watching = [*_of_client("refusals", requester), *_of_client("resources", requester)]
    else:
        spending, watching = [_counter("person.requests", requester.actor)], []
    if full := tally().take(spending, watching):
        raise _refusal(full, requester)


def admit_write(requester: Requester) -> None:
    """Count one proposed change, before it is looked at. Raises Refusal (429)."""
    mine = _of_client("writes", requester) or [_counter("person.writes", requester.actor)]
    if full := tally().take(mine, []):
        raise _refusal(full, requester)


def refused(requester: Requester) -> None:
    """Count an interaction of a client that was refused (403, 404): guessing is mostly refusals."""
    for counter in _of_client("refusals", requester):
        tally().add(counter)


def spent(requester: Requester, resources: int) -> None:
    """Count the resources that were let out to a client."""
    for counter in _of_client("resources", requester):
        tally().add(counter, resources)


def admit_export(client: str, name: str, subject: str) -> None:
    """Count what a backend service does with bulk exports. Raises Refusal (429)."""
    if full := tally().take([_counter(name, subject)], []):
        raise _refusal(full, client=client)


def _of_client(counted: str, requester: Requester) -> list[Counter]:
    """Empty for a person: what people see of their own record is not rationed."""
    if not requester.client:
        return []
    pair = f"{requester.client}|{requester.patient_id}"
    return [_counter(f"client-patient.{counted}", pair), _counter(f"client.{counted}", requester.client)]


def _counter(name: str, subject: str) -> Counter:
    budget = budgets()[name]
    return Counter(name, subject, budget.limit, budget.window)


def _refusal(full: Counter, requester: Requester | None = None, client: str = "") -> Refusal:
    """What the caller is told. The first one of a window writes the event; without it there is no answer."""
    if tally().note(full):
        try:
            record(_entry(full, requester, client))
        except DatabaseError:
            tally().unnote(full)
            raise
    wait = tally().seconds_left(full)
    said = SAID[budgets()[full.name].counted].format(wait=wait)
    return Refusal(429, said, {"Retry-After": str(wait)})


def _entry(full: Counter, requester: Requester | None, client: str) -> Entry:
    budget = budgets()[full.name]
    detail: dict[str, str | int | bool] = {"budget": budget.name, "limit": budget.limit}
    if requester is None and not client:
        # Enough to see that two events are of one address, too little to say which.
        detail["address"] = salted_hmac("address", full.subject, algorithm="sha256").hexdigest()[:6]
    return Entry(
        type=EventType.BUDGET_EXCEED,
        outcome=Outcome.DENY,
        actor=requester.actor if requester else client or ANONYMOUS,
        on_behalf_of=requester.on_behalf_of if requester else "",
        role=requester.role if requester else Role.CLIENT if client else "",
        patient=f"Patient/{requester.patient_id}" if requester else "",
        client=requester.client if requester else client,
        reasons=(f"budget.{budget.counted}",),
        detail=detail,
    )


class _Known:
    """Digests of tokens that were good here; the oldest are forgotten. No decision rests on it."""

    def __init__(self) -> None:
        self._digests: dict[bytes, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, token: str) -> bool:
        return bool(token) and _digest(token) in self._digests

    def add(self, token: str) -> None:
        with self._lock:
            self._digests[_digest(token)] = None
            if len(self._digests) > MOST_KNOWN:
                del self._digests[next(iter(self._digests))]

    def discard(self, token: str) -> None:
        with self._lock:
            self._digests.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=16).digest()


_known = _Known()
budgets()  # a wrong name in settings stops the start
