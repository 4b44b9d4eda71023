"""The next events of the log, in its own order, for a reader that keeps its place (`Cursor`).

Only events that have their place in the tree are read: nothing can appear before them any more, so that
none is missed and none is read twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.db import connection

from audit.journal_check import written_at
from compliance.monitoring.measures import Seen
from compliance.monitoring.models import Cursor

LAST = """
SELECT seq, xid::text::bigint, event_id FROM log_leaf WHERE seq >= %s AND seq < %s ORDER BY seq DESC LIMIT 1
"""
EVENTS = """
SELECT id, recorded_at, type, outcome, actor, role, patient, client, interaction, resource_types,
       categories, reasons, count, target, payload
  FROM audit_event
 WHERE (xid, id) > (%s::bigint::text::xid8, %s::uuid) AND (xid, id) <= (%s::bigint::text::xid8, %s::uuid)
 ORDER BY xid, id
"""
# Entries whose event is not there although its month is.
WITHOUT_EVENT = """
SELECT l.event_id FROM log_leaf l
 WHERE l.seq >= %s AND l.seq <= %s AND NOT EXISTS (SELECT FROM audit_event e WHERE e.id = l.event_id)
"""
KEPT = "SELECT EXISTS (SELECT FROM unnest(%s::text[]) month WHERE to_regclass(month) IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events, the place after them, and whether entries and events of the log are not the same."""

    events: Sequence[Seen]
    seq: int
    xid: int
    event_id: UUID
    gap: bool


class _Said(msgspec.Struct):
    """What of a payload has no column."""

    detail: dict[str, str | int | bool] = {}
    context: dict[str, str | int] = {}


def after(cursor: Cursor, limit: int) -> Batch | None:
    """Up to `limit` entries; None where there are no new ones. Two statements."""
    with connection.cursor() as database:
        database.execute(LAST, [cursor.seq, cursor.seq + limit])
        if (last := database.fetchone()) is None:
            return None
        seq, xid, event_id = last
        database.execute(EVENTS, [cursor.xid, cursor.event_id, xid, event_id])
        events = [_seen(row) for row in database.fetchall()]
    entries = seq - cursor.seq + 1
    gap = entries != len(events) and (entries < len(events) or _is_missing(cursor.seq, seq))
    return Batch(events, seq + 1, xid, event_id, gap)


def _seen(row: Sequence[object]) -> Seen:
    said = msgspec.json.decode(str(row[14]), type=_Said)
    names = ("id", "at", "type", "outcome", "actor", "role", "patient", "client", "interaction", "types")
    values = dict(zip((*names, "categories", "reasons", "count", "target"), row[:14], strict=True))
    values["count"] = values["count"] or 0
    network = str(said.context.get("network", ""))
    return Seen(**values, detail=said.detail, network="" if network == "unknown" else network)  # type: ignore[arg-type]


def _is_missing(first: int, last: int) -> bool:
    """Whether an event is gone from a month that is kept; months go as a whole when their time is over."""
    with connection.cursor() as database:
        database.execute(WITHOUT_EVENT, [first, last])
        try:
            months = {f"audit_event_{written_at(event_id):%Y_%m}" for (event_id,) in database.fetchall()}
        except OverflowError:  # an id that we never made
            return True
        database.execute(KEPT, [list(months)])
        return bool(database.fetchone()[0])
