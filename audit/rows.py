"""Rows of the log one by one, and what is wrong with the first of them. `audit.chunks` is the quick way."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from audit.journal_check import written_at
from audit.keyring import is_authentic, is_ours
from audit.log import COLUMNS, NOT_COLUMNS, leaf_of, said
from audit.models import AuditEvent
from audit.tree_check import Tampered

EVENT_COLUMNS = ("xid", *COLUMNS, "payload", "leaf", "writer_mac")
# Between two places; without an end, all that there is.
EVENTS = (
    f"SELECT xid::text::bigint, {', '.join(EVENT_COLUMNS[1:])} "  # noqa: S608  our own names
    "FROM audit_event WHERE (xid, id) > (%s::xid8, %s::uuid) {} ORDER BY xid, id"
)
UP_TO = "AND (xid, id) <= (%s::xid8, %s::uuid)"
LEAVES = """
SELECT seq, event_id, xid::text::bigint, leaf FROM log_leaf WHERE seq >= %s AND seq < %s ORDER BY seq
"""
Row = dict[str, Any]


class Dropped:
    """Months that a retention event let go: their leaves stay, and must be those that the event counted."""

    def __init__(self) -> None:
        events = AuditEvent.objects.filter(type="audit:retain", outcome="done")
        self.months = {e.target.removeprefix("Month/"): e.detail for e in events if is_authentic(e)}
        self.hashes = {month: hashlib.sha256() for month in self.months}
        self.counts = dict.fromkeys(self.months, 0)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def take(self, leaf: tuple[Any, ...]) -> bool:
        month = f"{written_at(leaf[1]):%Y-%m}"
        if month not in self.months:
            return False
        self.hashes[month].update(bytes(leaf[3]))
        self.counts[month] += 1
        return True

    def finish(self, *, whole: bool) -> None:
        for month, detail in self.months.items() if whole else ():
            if self.counts[month] == 0:
                continue  # recorded, and not dropped yet
            if (self.counts[month], self.hashes[month].hexdigest()) != (detail["count"], detail["digest"]):
                raise Tampered(f"what is missing of {month} is not what its retention event let go")


def side_by_side(
    leaves: Iterator[tuple[Any, ...]], rows: Iterator[tuple[Any, ...]], dropped: Dropped
) -> Iterator[tuple[tuple[Any, ...] | None, Row | None]]:
    """Each leaf with its event; without one where its month was dropped, and events that wait without a
    leaf."""
    events = (dict(zip(EVENT_COLUMNS, row, strict=True)) for row in rows)
    event = next(events, None)
    for leaf in leaves:
        seq, event_id, xid, _ = leaf
        if event is None or (xid, event_id) < (event["xid"], event["id"]):
            if not dropped.take(leaf):
                raise Tampered("its row is missing: it was deleted, or moved", seq=seq, event_id=event_id)
            yield leaf, None
            continue
        if (xid, event_id) > (event["xid"], event["id"]):
            raise Tampered(
                f"it has no entry in the log, where it stands before entry {seq}: "
                "its entry was deleted, or the row was slipped in",
                event_id=event["id"],
            )
        yield leaf, event
        event = next(events, None)
    while event is not None:
        yield None, event
        event = next(events, None)


def check_event(event: Row, seq: int | None, next_xid: int, keys: Sequence[tuple[bytes, datetime]]) -> None:
    """The row in itself: leaf, writer's MAC, and columns that say what the payload says."""

    def tampered(what: str) -> Tampered:
        return Tampered(what, seq=seq, event_id=event["id"])

    leaf = bytes(event["leaf"])
    if leaf_of(event["payload"].encode()) != leaf:
        raise tampered("its payload is not what was hashed when it was written")
    if not is_ours(leaf, bytes(event["writer_mac"]), event["recorded_at"], keys):
        raise tampered("the application did not write it: its MAC is wrong")
    payload = msgspec.json.decode(event["payload"])
    for name in NOT_COLUMNS:
        payload.pop(name, None)
    columns = said(event)
    if payload != columns:
        names = sorted(n for n in {*payload, *columns} if payload.get(n) != columns.get(n))
        raise tampered(f"it was changed in {', '.join(names)}: the payload says otherwise")
    if event["xid"] >= next_xid:
        raise tampered("its transaction id was not given out yet (after a restore: see docs/audit.md)")


def check_leaf(leaf: tuple[Any, ...], event: Row | None, place: int) -> None:
    seq, event_id, _, leaf_hash = leaf
    if seq != place:
        raise Tampered("the entries before it are missing", seq=seq, event_id=event_id)
    if event is not None and bytes(leaf_hash) != bytes(event["leaf"]):
        raise Tampered("its entry in the log has another hash than its row", seq=seq, event_id=event_id)
