"""One patient's activity, newest first, in keyset pages: as quick at any depth, so no OFFSET and no COUNT."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db import connection
from django.db.models import Min, Q, QuerySet

from audit.events import Outcome, Role
from audit.models import AuditEvent

# Rows that a page with filters looks through. What matches nothing would otherwise read the whole log.
MOST_LOOKED_AT = 5_000
FIRST_LOOKED_AT = 250  # mostly they fill the page
SIZE = 50  # of a page
FIRST_LOOKED_AT = 250  # where that fills the page, the rest is not looked at
SIZE = 50  # of a page
NEWEST_FIRST = ("-recorded_at", "-id")
BEFORE_ALL = UUID(int=0)  # as the id of a place: only what is strictly older comes after it
WHO: Mapping[str, tuple[str, ...]] = {
    "others": ("", *(role for role in Role if role is not Role.PATIENT)),
    "apps": (Role.CLIENT,),
    "people": (Role.HELPER,),
    "me": (Role.PATIENT,),
    "clinic": (Role.CLINICIAN, Role.BILLING, Role.SUPPORT, Role.COMPLIANCE, Role.SYSTEM),
}
RESULT: Mapping[str, tuple[Outcome, ...]] = {
    "allowed": (Outcome.PERMIT, Outcome.DONE),
    "blocked": (Outcome.DENY,),
    "failed": (Outcome.FAILED,),
}


class BadCursor(ValueError):
    """A cursor that `page` did not give for this list, or that was changed."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader wants to see. `who` and `result` are keys of WHO and RESULT; empty means all.

    `since` is the first moment, `until` the first that is too late.
    """

    who: str = ""
    result: str = ""
    client: str = ""  # "Client/<client_id>"
    category: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def looking(self) -> Q:
        """What rows must be looked at for; empty where every row of the list is wanted.

        Raises `KeyError` for a key that does not exist.
        """
        wanted = Q(role__in=WHO[self.who]) if self.who else Q()
        if self.result:
            wanted &= Q(outcome__in=RESULT[self.result])
        if self.client:
            wanted &= Q(client=self.client)
        return wanted & Q(categories__contains=[self.category]) if self.category else wanted

    def within(self) -> Q:
        """The dates, which the index answers."""
        wanted = Q(recorded_at__gte=self.since) if self.since else Q()
        return wanted & Q(recorded_at__lt=self.until) if self.until else wanted


class Glance(NamedTuple):
    """Of an event what tells whether another is like it."""

    id: UUID
    recorded_at: datetime
    type: str
    outcome: str
    actor: str
    role: str
    categories: list[str]
    reasons: list[str]
    consent: str
    target: str
    correlation_id: str


Row = TypeVar("Row", AuditEvent, Glance)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`looked_back_to` is set where the page ends because enough was looked through, and more is older."""

    events: list[Row]
    next_cursor: str  # empty on the last page
    looked_back_to: datetime | None = None


def page(
    patient: str, filters: Filters = Filters(), *, cursor: str = "", size: int = SIZE
) -> Page[AuditEvent]:
    """The events about one patient ("Patient/<id>") that come after the cursor.

    Raises `BadCursor`, and `KeyError` for a filter that does not exist.
    """
    return page_of(AuditEvent.objects.filter(patient=patient), patient, filters, cursor=cursor, size=size)


def glances(patient: str, filters: Filters, *, cursor: str, size: int) -> Page[Glance]:
    """As `page`, at a tenth of the cost."""
    events = AuditEvent.objects.filter(patient=patient)
    return _page(_glances, events, patient, filters, Q(), cursor, size)


def page_of(
    events: QuerySet[AuditEvent],
    name: str,
    filters: Filters = Filters(),
    more: Q | None = None,
    *,
    cursor: str = "",
    size: int = SIZE,
) -> Page[AuditEvent]:
    """A page of any list of events; `name` binds its cursors to it, `more` are other filters than ours."""
    return _page(list, events, name, filters, more or Q(), cursor, size)


def _page(
    read: Callable[[QuerySet[AuditEvent]], list[Row]],
    events: QuerySet[AuditEvent],
    name: str,
    filters: Filters,
    more: Q,
    cursor: str,
    size: int,
) -> Page[Row]:
    wanted = filters.looking() & more
    events = events.filter(filters.within()).order_by(*NEWEST_FIRST)
    if cursor:
        events = events.filter(after(*read_cursor(cursor, name)))
    rows, oldest, is_more = [], None, False
    for most in (FIRST_LOOKED_AT, MOST_LOOKED_AT) if wanted else ():
        oldest = events.values("recorded_at")[:most].aggregate(at=Min("recorded_at"))["at"]
        rows = read(events.filter(wanted, recorded_at__gte=oldest)[: size + 1]) if oldest else []
        is_more = bool(oldest) and len(rows) <= size and events.filter(recorded_at__lt=oldest).exists()
        if not is_more:
            break
    if not wanted:
        rows = read(events[: size + 1])
    if len(rows) > size:
        return Page(rows[:size], write_cursor(rows[size - 1].recorded_at, rows[size - 1].id, name))
    if oldest and is_more:
        return Page(rows, write_cursor(oldest, BEFORE_ALL, name), oldest)
    return Page(rows, "")


def _glances(events: QuerySet[AuditEvent]) -> list[Glance]:
    """In PostgreSQL's binary form, which psycopg reads in C; what Django makes of times and rows is slow."""
    sql, parameters = events.values_list(*Glance._fields).query.sql_with_params()
    with connection.cursor() as cursor, cursor.connection.cursor(binary=True) as binary:
        return [Glance._make(row) for row in binary.execute(sql, parameters)]


def after(at: datetime, event_id: UUID) -> Q:
    """What comes after a place in a list that is newest first. The first part is what the index answers."""
    return Q(recorded_at__lte=at) & ~Q(recorded_at=at, id__gte=event_id)


def write_cursor(at: datetime, event_id: UUID, name: str) -> str:
    """A place in the list of that name, signed: URL-safe characters."""
    text = f"{at.astimezone(UTC).isoformat(timespec='microseconds')} {event_id}"
    return _signer(name).sign(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def read_cursor(cursor: str, name: str) -> tuple[datetime, UUID]:
    """Raises `BadCursor`."""
    try:
        signed = _signer(name).unsign(cursor)
        text = base64.b64decode(signed + "=" * (-len(signed) % 4), altchars=b"-_", validate=True).decode()
        at, event_id = text.split(" ")
        return datetime.fromisoformat(at), UUID(event_id)
    except (BadSignature, ValueError, binascii.Error):
        raise BadCursor("the cursor is not one of this list") from None


def _signer(name: str) -> Signer:
    return Signer(sep=".", salt=f"audit.feed {name}")
