"""I1 to I7 of the log's design, asked of the database: cheap enough for a task each minute and each test.

I1 (no bytes without a committed permit) and I6 (the activity list is the log) hold by how the code is made:
the row is inserted in the statement that lets the answer out, and the list reads that table. What is asked
here of I1 is its trace: every journal line, which is written before an answer leaves, has its event.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from audit import anchor_file, journal_check, proofs

RECENT = 5_000  # events, of which each hash is recomputed
DELAY = 1.0  # seconds, I7

TWICE = """
SELECT count(*) - count(DISTINCT event_id) FROM (SELECT event_id FROM log_leaf ORDER BY seq DESC LIMIT %s) x
"""
UNPLACED = """
WITH last AS (SELECT xid, event_id FROM log_leaf ORDER BY seq DESC LIMIT 1),
recent AS (SELECT e.id FROM audit_event e, last
            WHERE (e.xid, e.id) <= (last.xid, last.event_id) ORDER BY e.xid DESC, e.id DESC LIMIT %s)
SELECT count(*) FROM recent r WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.event_id = r.id)
"""
BAD_HASH = r"""
SELECT count(*) FROM (SELECT payload, leaf FROM audit_event ORDER BY xid DESC, id DESC LIMIT %s) e
 WHERE leaf <> sha256('\x00'::bytea || convert_to(payload, 'UTF8'))
"""
SIZES = """
SELECT coalesce((SELECT max(size) FROM checkpoint), 0), coalesce((SELECT max(seq) + 1 FROM log_leaf), 0)
"""
MERGE_DELAY = """
SELECT coalesce(extract(epoch FROM
         percentile_cont(0.99) WITHIN GROUP (ORDER BY c.made_at - e.recorded_at)), 0)
  FROM (SELECT seq, event_id FROM log_leaf ORDER BY seq DESC LIMIT %s) l
  JOIN audit_event e ON e.id = l.event_id
  JOIN LATERAL (SELECT made_at FROM checkpoint WHERE size > l.seq ORDER BY size LIMIT 1) c ON true
 WHERE c.made_at > clock_timestamp() - make_interval(mins => %s)
"""
OLDEST_WAITING = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)
  FROM audit_event e
  LEFT JOIN (SELECT xid, event_id FROM log_leaf ORDER BY seq DESC LIMIT 1) l ON true
 WHERE l.xid IS NULL OR (e.xid, e.id) > (l.xid, l.event_id)
"""


def broken(limit: int = RECENT) -> list[str]:
    """Which of I1 to I5 do not hold of the newest events; empty where all do."""
    found = []
    if missing := journal_check.missing_now():
        found.append(f"I1: {missing} events that were answered for are not in the log")
    if count := _number(UNPLACED, limit) + _number(TWICE, limit):
        found.append(f"I2: {count} events have no leaf, or two")
    if count := _number(BAD_HASH, limit):
        found.append(f"I3: {count} leaves are not the hash of their payload")
    anchored = anchor_file.last(Path(settings.AUDIT_ANCHOR_FILE))
    size, places = _row(SIZES)
    # By sizes and never by times: a clock that is set back has shortened nothing.
    if size != places or (anchored and anchored.size > size):
        known = anchored.size if anchored else 0
        found.append(f"I5: {size} entries are signed for, {places} are there, {known} were anchored")
    elif anchored and not proofs.agrees(anchored):
        found.append("I4: the tree is not the one that was anchored")
    return found


def merge_delay(limit: int = RECENT, *, minutes: int = 100_000) -> float:
    """I7: seconds from an event to its checkpoint, the 99th of 100, of the newest checkpoints' events."""
    return float(_row(MERGE_DELAY, limit, minutes)[0])


def longest_wait() -> float:
    """Seconds that the oldest event has waited for its place; 0 where none waits."""
    return float(_row(OLDEST_WAITING)[0])


def _number(sql: str, limit: int) -> int:
    return int(_row(sql, limit)[0])


def _row(sql: str, *parameters: int) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return tuple(cursor.fetchone())
