"""Is every line of the journals in the log? Finds the newest rows, deleted before they had their place."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from audit import anchor_file, journal, proofs
from audit.keyring import is_authentic, is_ours
from audit.log import EPOCH
from audit.models import AuditEvent, Journal, LogLeaf

BATCH = 1_000
PLACED = "SELECT event_id, leaf FROM log_leaf WHERE event_id = ANY(%s)"
SAID = "SELECT event_id || ' ' || encode(leaf, 'hex') FROM log_leaf WHERE event_id = ANY(%s::uuid[])"
WAITING = "SELECT id, leaf FROM audit_event WHERE id = ANY(%s) AND recorded_at BETWEEN %s AND %s"


_noted: set[str] = set()


class Lost(NamedTuple):
    """What a restore lost, as somebody acknowledged: events between two times."""

    since: datetime
    until: datetime


class Missing(NamedTuple):
    line: journal.Line
    journal: str


def written_at(event_id: UUID) -> datetime:
    """The time in a UUID of version 7, to the millisecond."""
    return EPOCH + timedelta(milliseconds=event_id.int >> 80)


def acknowledged() -> list[Lost]:
    events = AuditEvent.objects.filter(type="audit:acknowledge")
    return [
        Lost(datetime.fromisoformat(str(e.detail["since"])), e.recorded_at)
        for e in events
        if "since" in e.detail and is_authentic(e)
    ]


def missing(sizes: Mapping[str, int], lost: Sequence[Lost], seen: Container[bytes] = ()) -> Iterator[Missing]:
    """Every line of these journals, as far as their first so many bytes, that has no event.

    `seen` are leaves that were found in the log just now: their lines need no second look.
    Raises `journal.BadJournal`.
    """
    for path in journal.files():
        if path.stem not in sizes:
            continue
        lines = journal.read(path, sizes[path.stem])
        while batch := list(islice(lines, BATCH)):
            batch = [line for line in batch if line.leaf not in seen]
            batch = _not_placed(batch) if batch else []
            there = _there([line.event_id for line in batch]) if batch else {}
            for line in batch:
                at = written_at(line.event_id)
                if there.get(line.event_id) != line.leaf and not any(a <= at <= b for a, b in lost):
                    yield Missing(line, path.stem)


def _not_placed(lines: list[journal.Line]) -> list[journal.Line]:
    """The lines whose event has no leaf; those few are looked at more closely."""
    with connection.cursor() as cursor:
        cursor.execute(SAID, [f"{{{','.join([line.said[:36] for line in lines])}}}"])
        placed = {said for (said,) in cursor.fetchall()}
    return [line for line in lines if line.said not in placed]


def _there(ids: list[UUID]) -> dict[UUID, bytes]:
    found: dict[UUID, bytes] = {}
    times = [written_at(i) for i in ids]
    with connection.cursor() as cursor:
        cursor.execute(PLACED, [ids])
        found |= {i: bytes(leaf) for i, leaf in cursor.fetchall()}
        if waiting := [i for i in ids if i not in found]:
            cursor.execute(WAITING, [waiting, min(times), max(times) + timedelta(milliseconds=1)])
            found |= {i: bytes(leaf) for i, leaf in cursor.fetchall()}
    return found


def missing_now() -> int:
    """How many events the journals know that the log does not."""
    return sum(1 for _ in missing(journal.sizes(), acknowledged()))


def deleted() -> list[str]:
    """Journals that were seen, never thrown away by us, and are not there."""
    there = {path.stem for path in journal.files()}
    pruned = set(Journal.objects.filter(state="pruned").values_list("name", flat=True))
    seen = Journal.objects.filter(state="seen").values_list("name", flat=True)
    return sorted(name for name in seen if name not in there | pruned)


def register(*, anew: bool = False) -> None:
    """Note the journals that are there, so that one cannot be deleted unnoticed; `anew` those too that this
    process has noted before, in a database that may since have become an older one."""
    if anew:
        _noted.clear()
    names = [path.stem for path in journal.files() if path.stem not in _noted]
    if not names:
        return
    known = set(Journal.objects.filter(name__in=names, state="seen").values_list("name", flat=True))
    Journal.objects.bulk_create(
        [Journal(name=name, state="seen", lines=0) for name in names if name not in known],
        ignore_conflicts=True,
    )
    _noted.update(names)


def receipt(text: str) -> str:
    """What became of a receipt, `id.leaf.mac`: "sealed", "waiting", "missing" from the log, or "forged"."""
    try:
        event, leaf_hex, mac = text.strip().split(".")
        event_id, leaf = UUID(event), bytes.fromhex(leaf_hex)
        ours = is_ours(leaf, bytes.fromhex(mac), written_at(event_id))
    except ValueError:
        return "forged"
    if not ours:
        return "forged"
    if _there([event_id]).get(event_id) != leaf:
        return "missing"
    return "waiting" if proofs.place_of(event_id) is None else "sealed"


def prune() -> int:
    """Throw away each journal that nobody writes to any more and all of whose lines are sealed and anchored.

    Returns how many. A file with a line that is not in the log stays, as evidence.
    """
    anchored = anchor_file.last(Path(settings.AUDIT_ANCHOR_FILE))
    count = 0
    for path in journal.files():
        if time.time() - path.stat().st_mtime < 2 * journal.MOST_AGE:
            continue
        lines = list(journal.read(path))
        sealed = LogLeaf.objects.filter(
            event_id__in=[line.event_id for line in lines], seq__lt=anchored.size if anchored else 0
        ).count()
        if sealed == len(lines):
            Journal.objects.create(name=path.stem, state="pruned", lines=len(lines))
            path.unlink()
            count += 1
    return count
