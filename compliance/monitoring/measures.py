"""What one event of the log counts for: marks, which are added up in windows of an hour or a day."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.closeness import Close
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS
from compliance.monitoring.surroundings import Surroundings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
READS = frozenset({EventType.RECORD_READ, EventType.RECORD_SEARCH})
EXPORTS = frozenset({EventType.EXPORT_READ, EventType.EXPORT_GIVE, EventType.EXPORT_DOWNLOAD})
STAFF = frozenset({Role.CLINICIAN, Role.SUPPORT, Role.COMPLIANCE})
OTHERS = STAFF | {Role.CLIENT, Role.HELPER, ""}  # who reads what is not their own
# Kinds of record, and a mark of the gate (42 CFR part 2 and the like), that many would call private.
SENSITIVE = frozenset({"notes", "social-history"})
MISSES = frozenset(
    {
        *("record.not-found", "record.not-yours", "request.404", "token.unknown", "link.unknown"),
        *("link.passcode", "helper.code", "support.code"),
    }
)
NEW_RELATION = frozenset({EventType.HELPER_CONFIRM, EventType.HELPER_WIDEN, EventType.HELPER_RENEW})
QUIET = timedelta(days=30)  # of an app that did nothing: it is dormant
SETTLED = timedelta(days=5)  # for so long somebody must be known before a new network is odd
FEW_NETWORKS = 3  # who comes from more is not bound to any place
ELDER, ADULT = 65, 18


class Measure(StrEnum):
    """Kept with windows and baselines: never rename one."""

    EXPORTS = "exports"
    READS = "reads"
    PATIENTS = "patients"
    DENIALS = "denials"
    SENSITIVE = "sensitive"
    NETWORK = "network"
    WOKEN = "woken"
    WORK = "work"
    CLOSE = "close"
    MISSES = "misses"
    REPLAYS = "replays"
    FIRST_DAY = "first-day"
    BUDGETS = "budgets"
    LOG = "log"


BY_HOUR = frozenset({Measure.DENIALS, Measure.MISSES, Measure.WORK, Measure.NETWORK, Measure.LOG})
# Those of which it is learned what is usual.
LEARNED = frozenset(
    {
        *(Measure.EXPORTS, Measure.READS, Measure.PATIENTS, Measure.DENIALS, Measure.SENSITIVE),
        *(Measure.WORK, Measure.MISSES, Measure.FIRST_DAY),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the monitor reads of an event of the log."""

    id: UUID
    at: datetime
    type: str
    outcome: str
    actor: str
    role: str
    patient: str
    client: str
    interaction: str
    types: Collection[str]
    categories: Collection[str]
    reasons: Collection[str]
    count: int
    target: str
    detail: Mapping[str, Any]
    network: str

    @property
    def permitted(self) -> bool:
        return self.outcome == Outcome.PERMIT

    @property
    def read(self) -> bool:
        return self.permitted and self.type in READS

    @property
    def who(self) -> tuple[str, str]:
        """Kind and reference: the app, or the person, or where nobody signed in the network."""
        if self.client:
            return "client", self.client
        if self.actor == ANONYMOUS:
            return "network", f"Network/{self.network or 'unknown'}"
        return ("client" if self.actor.startswith("Client/") else "actor"), self.actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """That an event counts `amount` for a measure of a subject; `once` is what counts once in a window."""

    measure: Measure
    kind: str
    subject: str
    amount: int = 1
    about: str = ""
    once: str = ""


def window_of(measure: str, at: datetime) -> datetime:
    """The start of the hour, or of the site's day."""
    local = timezone.localtime(at).replace(minute=0, second=0, microsecond=0)
    return local if measure in BY_HOUR else local.replace(hour=0)


def length_of(measure: str) -> timedelta:
    return HOUR if measure in BY_HOUR else DAY


def marks_of(seen: Seen, around: Surroundings) -> Iterator[Mark]:
    """All that one event counts for."""
    if seen.outcome == Outcome.DENY:
        yield from _refusals(seen)
    if seen.permitted and seen.type in EXPORTS:
        yield _mark(Measure.EXPORTS, *seen.who, amount=max(1, seen.count))
    if seen.read and seen.role in OTHERS:
        yield from _reads(seen, around)
    if seen.type in READS and seen.role == Role.CLINICIAN:
        yield from _close(seen, around)
    if seen.type == EventType.FAULT_REPORT and seen.outcome == Outcome.FAILED:
        logs = [reason for reason in seen.reasons if reason.startswith("log.")]
        yield from (_mark(Measure.LOG, "log", "System/log", about=reason) for reason in logs)
    yield from _against_what_was_known(seen, around)


def _refusals(seen: Seen) -> Iterator[Mark]:
    kind, who = seen.who
    if seen.type == EventType.BUDGET_EXCEED:
        yield _mark(Measure.BUDGETS, kind, who)
        return
    yield _mark(Measure.DENIALS, kind, who)
    if seen.interaction:
        kind_of_record = next(iter(seen.types), "any")
        yield _mark(Measure.DENIALS, "endpoint", f"Endpoint/{seen.interaction}.{kind_of_record}")
    if MISSES & set(seen.reasons):
        yield _mark(Measure.MISSES, kind, who)
    if "token.replayed" in seen.reasons and seen.client:
        yield _mark(Measure.REPLAYS, "client", seen.client, about=seen.patient)


def _reads(seen: Seen, around: Surroundings) -> Iterator[Mark]:
    kind, who = seen.who
    yield _mark(Measure.READS, kind, who, amount=max(1, seen.count))
    if seen.patient and seen.role != Role.HELPER:
        yield _mark(Measure.PATIENTS, kind, who, once=seen.patient)
    if SENSITIVE & set(seen.categories) or "notice" in seen.detail:
        yield _mark(Measure.SENSITIVE, kind, who)
        yield _mark(Measure.SENSITIVE, "cohort", f"Cohort/{_cohort(seen, around)}")
    if seen.role in STAFF:
        yield _mark(Measure.WORK, kind, who)


def _cohort(seen: Seen, around: Surroundings) -> str:
    patient = around.patients.get(seen.patient)
    if patient is None:
        return "unknown"
    if patient.user in around.staff:
        return "staff"
    years = _years(patient.birth_date, seen.at.date())
    return "minors" if years < ADULT else "elders" if years >= ELDER else "adults"


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _close(seen: Seen, around: Surroundings) -> Iterator[Mark]:
    """Of colleagues only what was let through: a refusal asked them for a reason, and they went away."""
    close = around.close(seen.actor, seen.patient)
    if close in (Close.OWN, Close.FAMILY) or (close is Close.COLLEAGUE and seen.permitted):
        yield _mark(Measure.CLOSE, "actor", seen.actor, about=seen.patient)


def _against_what_was_known(seen: Seen, around: Surroundings) -> Iterator[Mark]:
    """What is odd because of what was, or was not, before; `around` learns it at the same time."""
    kind, who = seen.who
    if kind == "client" and (seen.read or seen.type in EXPORTS):
        before = around.last(who, "read", "", seen.at)
        if before and seen.at - before > QUIET:
            yield _mark(Measure.WOKEN, kind, who, about=str((seen.at - before).days))
    bound = (seen.role in STAFF or kind == "client") and seen.outcome != Outcome.DENY
    if bound and seen.network and _is_strange(who, seen.network, seen.at, around):
        yield _mark(Measure.NETWORK, kind, who, about=f"Network/{seen.network}")
    if seen.type in NEW_RELATION and (helper := str(seen.detail.get("about", ""))):
        around.last(helper, "relation", seen.patient, seen.at)
    elif seen.read and seen.role == Role.HELPER:
        begun = around.peek(seen.actor, "relation", seen.patient)
        if begun and seen.at - begun < DAY:
            yield _mark(Measure.FIRST_DAY, "helper", seen.actor, about=seen.patient)


def _is_strange(who: str, network: str, at: datetime, around: Surroundings) -> bool:
    """Whoever comes from more than FEW_NETWORKS is bound to no place, and no more of them are kept."""
    since, known = around.first(who, "network"), around.count(who, "network")
    if known > FEW_NETWORKS and around.peek(who, "network", network) is None:
        return False
    before = around.last(who, "network", network, at)
    return before is None and since is not None and at - since > SETTLED


def _mark(measure: Measure, kind: str, subject: str, **more: Any) -> Mark:
    return Mark(measure=measure, kind=kind, subject=subject, **more)
