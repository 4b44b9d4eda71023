"""How long events are kept, and how a month of them goes: after a sealed event that says what went.

Rows go by month and no other way. Their leaves stay, so that all proofs and checkpoints still hold; the event
counts them and gives a hash over them, so that nothing else can go along with them. Needs the owner's role.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from audit import sequencer
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

SIX_YEARS = 6  # 45 CFR 164.316(b)(2) and 164.528
YEARS: Mapping[EventType, int] = {
    **dict.fromkeys(EventType, SIX_YEARS),
    # What says how the log itself was kept is needed as long as there is a log.
    EventType.AUDIT_RETAIN: 100,
    EventType.AUDIT_ACKNOWLEDGE: 100,
    EventType.AUDIT_KEY: 100,
}
ROWS = 5_000


class NotDue(ValueError):
    """A month that must still be kept; the reason is its text."""


def due_on(month: str) -> date:
    """The day from which a month ("2020-01") may go, by what is in it. Raises `NotDue` where it is not
    there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [_partition(month)])
        if not cursor.fetchone()[0]:
            raise NotDue(f"There are no events of {month}.")
        cursor.execute(f"SELECT DISTINCT type FROM {_partition(month)}")  # noqa: S608  a checked name
        years = max((YEARS[EventType(kind)] for (kind,) in cursor.fetchall()), default=0)
    year, number = (int(part) for part in month.split("-"))
    after = date(year + number // 12, number % 12 + 1, 1)  # the month has ended
    return after.replace(year=after.year + years)


def drop(month: str, *, by: str) -> int:
    """Let a month go; return how many events went. `by` is a reference ("User/..."). Raises `NotDue`."""
    due = due_on(month)
    if due > datetime.now(UTC).date():
        raise NotDue(f"The events of {month} must be kept until {due}.")
    if settings.AUDIT_HOLD_CHECK and import_string(settings.AUDIT_HOLD_CHECK)(month):
        raise NotDue(f"A legal hold keeps the events of {month}.")
    sequencer.catch_up()
    count, digest = _leaves(month)
    record(
        Entry(
            type=EventType.AUDIT_RETAIN,
            outcome=Outcome.DONE,
            actor=by,
            role=Role.COMPLIANCE,
            target=f"Month/{month}",
            count=min(count, 2**31 - 1),
            detail={"count": count, "digest": digest},
        )
    )
    sequencer.catch_up()  # sealed and anchored, before anything goes
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        cursor.execute(f"ALTER TABLE audit_event DETACH PARTITION {_partition(month)}")
        cursor.execute(f"DROP TABLE {_partition(month)}")
    return count


def _leaves(month: str) -> tuple[int, str]:
    """How many entries a month has, and SHA-256 over their leaves in the log's order. Raises `NotDue`."""
    part = _partition(month)
    digest, count = hashlib.sha256(), 0
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT l.leaf FROM log_leaf l JOIN {part} e ON e.id = l.event_id ORDER BY l.seq"  # noqa: S608
        )
        while rows := cursor.fetchmany(ROWS):
            for (leaf,) in rows:
                digest.update(bytes(leaf))
            count += len(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {part}")  # noqa: S608
        if cursor.fetchone()[0] != count:
            raise NotDue(f"Events of {month} wait for their place in the log.")
    return count, digest.hexdigest()


def _partition(month: str) -> str:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise NotDue("A month is written 2020-01.")
    return f"audit_event_{month.replace('-', '_')}"
