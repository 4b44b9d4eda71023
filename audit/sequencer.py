"""Put committed events in their place in the tree, and sign what the tree then is.

The order is (transaction id, event id). A transaction id below `pg_snapshot_xmin` belongs to
a transaction that has ended, so that no event can still appear before one that has a place:
there are no gaps, nothing is placed twice, and event rows need no UPDATE. The last leaf
itself says where to go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from audit import anchors, health, journal, journal_check, merkle, notes, truncation

LEADER = 0x61756469_74736571  # advisory lock: one sequencer in a database at a time
BATCH = 10_000

NEWEST = """
SELECT coalesce(c.size, 0), c.frontier, coalesce(l.seq, -1), coalesce(l.xid::text, '0'),
       coalesce(l.event_id, '00000000-0000-0000-0000-000000000000'),
       coalesce(l.xid >= pg_snapshot_xmax(pg_current_snapshot()), false)
  FROM (SELECT) AS one
  LEFT JOIN (SELECT size, frontier FROM checkpoint ORDER BY size DESC LIMIT 1) c ON true
  LEFT JOIN (SELECT seq, xid, event_id FROM log_leaf ORDER BY seq DESC LIMIT 1) l ON true
"""
APPEND = """
INSERT INTO log_leaf (seq, event_id, xid, leaf)
SELECT %s + row_number() OVER (ORDER BY xid, id) - 1, id, xid, leaf
  FROM (SELECT id, xid, leaf FROM audit_event
         WHERE (xid, id) > (%s::xid8, %s::uuid) AND xid < pg_snapshot_xmin(pg_current_snapshot())
         ORDER BY xid, id LIMIT %s) AS batch
RETURNING seq, leaf
"""
CHECKPOINT = """
INSERT INTO checkpoint (size, root, frontier, note, made_at) VALUES (%s, %s, %s, %s, clock_timestamp())
"""
NODE = "INSERT INTO log_node (level, index, hash) VALUES (%s, %s, %s)"


class BrokenLog(RuntimeError):
    """The log cannot be carried on from where it stands; `verify_audit` says what is wrong with it."""


class _Place(NamedTuple):
    size: int
    frontier: list[bytes]
    xid: str
    event_id: UUID


def tick(limit: int = BATCH, *, wait: bool = False) -> int:
    """Place up to `limit` events, sign one checkpoint over them and anchor it; return how many.

    Where another sequencer is at work it does nothing, or waits for its turn. Nothing is placed while the
    log is known to be shorter than it was (`audit.health`). Raises `BrokenLog`.
    """
    with _leadership(wait) as leads:
        if not leads or health.is_truncated():
            return 0
        journal.sync()
        journal_check.register()
        with transaction.atomic():
            count, note = _extend(limit)
        if note:  # after the commit, so that an anchor never speaks of what was rolled back
            anchors.to_file()
        return count


def catch_up() -> int:
    """Place all that waits now; return how many."""
    total = 0
    while count := tick(wait=True):
        total += count
    return total


def start() -> None:
    """Before the first tick: look whether the log is as long as it was, and anchor what a crash left out."""
    with _leadership(wait=True):
        truncation.look()
        if not health.is_truncated():
            anchors.to_file()
            journal_check.register(anew=True)


@contextmanager
def _leadership(wait: bool) -> Iterator[bool]:
    """A lock of the session, since the anchor is written after the commit."""
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LEADER])
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LEADER])
        leads = wait or cursor.fetchone()[0]
    try:
        yield leads
    finally:
        # A connection that was lost has given the lock back already.
        if leads and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LEADER])


def _extend(limit: int) -> tuple[int, str]:
    """How many events were placed, and the new checkpoint's note; nothing new, no checkpoint."""
    place = _newest()
    with connection.cursor() as cursor:
        cursor.execute(APPEND, [place.size, place.xid, place.event_id, limit])
        leaves = [bytes(leaf) for _, leaf in sorted(cursor.fetchall())]
    if not leaves:
        return 0, ""
    nodes: list[merkle.Node] = []
    for size, leaf in enumerate(leaves, place.size):
        nodes += merkle.append(place.frontier, size, leaf)
    head = notes.TreeHead(place.size + len(leaves), merkle.root(place.frontier))
    note = notes.checkpoint(head, notes.signer())
    with connection.cursor() as cursor:
        if nodes:
            cursor.executemany(NODE, nodes)
        cursor.execute(CHECKPOINT, [head.size, head.root, b"".join(place.frontier), note])
    return len(leaves), note


def _newest() -> _Place:
    with connection.cursor() as cursor:
        cursor.execute(NEWEST)
        size, joined, seq, xid, event_id, in_the_future = cursor.fetchone()
    if seq + 1 != size:
        raise BrokenLog(f"the newest checkpoint is for {size} entries, but the log has {seq + 1}")
    if in_the_future:
        raise BrokenLog(
            "this database counts transactions lower than the log does, as after a dump and restore; "
            "docs/audit.md says how to raise the counter"
        )
    frontier = [bytes(joined)[i : i + 32] for i in range(0, 32 * size.bit_count(), 32)] if size else []
    return _Place(size, frontier, xid, event_id)
