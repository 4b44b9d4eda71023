"""Recompute the log, or a range of it, and hold it against itself, its checkpoints, anchors and journals.

Events and leaves are read side by side, both in the log's order, as two streams of one snapshot: memory does
not grow with the log.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction

from audit import anchor_file, journal, journal_check, merkle, notes
from audit.journal_check import written_at
from audit.keyring import is_authentic, is_ours, mac_keys, open_checkpoint, verifiers
from audit.log import COLUMNS, NOT_COLUMNS, leaf_of, said
from audit.models import AuditEvent, Checkpoint
from audit.tree_check import Beginning, Cut, Tampered, Tree

ROWS = 2_000
EVENT_COLUMNS = ("xid", *COLUMNS, "payload", "leaf", "writer_mac")
EVENTS = (
    f"SELECT xid::text::bigint, {', '.join(EVENT_COLUMNS[1:])} "  # noqa: S608  our own names
    "FROM audit_event WHERE (audit_event.xid, id) > "
    "(coalesce((SELECT l.xid FROM log_leaf l WHERE seq = %s), '0'::xid8),"
    " coalesce((SELECT l.event_id FROM log_leaf l WHERE seq = %s), '00000000-0000-0000-0000-000000000000'))"
    " ORDER BY audit_event.xid, id"
)
LEAVES = "SELECT seq, event_id, log_leaf.xid::text::bigint, leaf FROM log_leaf WHERE seq >= %s ORDER BY seq"
CHECKPOINTS = "SELECT size, root, frontier, note FROM checkpoint WHERE size > %s ORDER BY size"
NODES = """
SELECT level, index, hash FROM log_node WHERE (index + 1) << level > %s ORDER BY (index + 1) << level, level
"""
SNAPSHOT = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, coalesce((SELECT max(size) FROM checkpoint), 0)
"""


@dataclass(slots=True)
class Report:
    """What was found to be right."""

    began: int = 0  # entries before it were not looked at
    entries: int = 0  # events with their place in the tree
    checkpoints: int = 0
    anchors: int = 0
    anchored: int = 0  # entries under the last anchor
    waiting: int = 0  # events that the sequencer has not placed yet, each right in itself
    dropped: int = 0  # entries whose rows a retention event let go
    journalled: int = 0  # journals of which every line is in the log
    lost: int = 0  # anchors of what a restore lost, as acknowledged
    root: bytes = merkle.EMPTY_ROOT


Progress = Callable[[int, int], None]
Row = dict[str, Any]


def verify(
    progress: Progress = lambda done, total: None,
    *,
    start: int = 0,
    stop: int | None = None,
    against: str = "",
    on_checkpoint: Callable[[int], None] = lambda size: None,
) -> Report:
    """Check all there is, or the entries from the checkpoint at or before `start` to `stop`.

    `against` is a signed checkpoint from elsewhere that the log must hold. `progress(done, total)` and
    `on_checkpoint(size)`, from which a later call can go on, are called now and then. Raises `Tampered`.
    """
    verifiers()  # keys that cannot be read are no tampering
    path = Path(settings.AUDIT_ANCHOR_FILE)
    # Before the snapshot: what is anchored or journalled by now was committed before, so the snapshot has it.
    length = path.stat().st_size if path.exists() else 0
    journals = [each.stem for each in journal.files()]
    report = Report()
    # Streams are closed here, not by the garbage collector: it may come while the connection is locked.
    with transaction.atomic(), ExitStack() as streams:
        next_xid, total = _snapshot()
        keys = mac_keys()
        beginning = _beginning(start)
        last = beginning.size - 1
        dropped, outside = _Dropped(), _outside(against)

        def stream(sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
            return streams.enter_context(closing(_stream(sql, parameters)))

        tree = Tree(
            stream(CHECKPOINTS, beginning.size),
            stream(NODES, beginning.size),
            streams.enter_context(closing(anchor_file.read(path, length))),
            _cuts(),
            beginning,
        )
        pairs = _side_by_side(stream(LEAVES, beginning.size), stream(EVENTS, last, last), dropped)
        for leaf, event in pairs:
            if stop is not None and tree.size >= stop:
                break
            if event is not None:
                _check_event(event, leaf[0] if leaf else None, next_xid, keys)
            if leaf is None:
                report.waiting += 1
            else:
                _check_leaf(leaf, event, tree.size)
                tree.add(leaf[3])
                if outside and tree.size == outside.size and merkle.root(tree.frontier) != outside.root:
                    raise Tampered("the log is not the one of the checkpoint given", seq=tree.size - 1)
            if (tree.size + report.waiting) % ROWS == 0:
                progress(tree.size, total)
                on_checkpoint(tree.signed)
        tree.finish(whole=stop is None)
        dropped.finish(whole=stop is None and not beginning.size)
        if stop is None:
            report.journalled = _check_journals(journals)
    if outside and not beginning.size <= outside.size <= tree.size:
        raise Tampered(
            f"the checkpoint given says that the log had {outside.size} entries; it has {tree.size}"
        )
    if tree.checkpoints and not length:
        raise Tampered(f"the anchor file {path} is missing or empty")
    report.began, report.entries, report.checkpoints = beginning.size, tree.size, tree.checkpoints
    report.anchors, report.anchored, report.lost = tree.anchors, tree.anchored, tree.lost
    report.dropped, report.root = dropped.count, merkle.root(tree.frontier)
    return report


def _snapshot() -> tuple[int, int]:
    """Fix what is looked at; the next transaction id, and about how many entries there are."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(SNAPSHOT)
        return cursor.fetchone()


def _beginning(start: int) -> Beginning:
    """The newest checkpoint over at most so many entries, whose signature stands for what is before it."""
    found = Checkpoint.objects.filter(size__lte=start).order_by("-size").first() if start else None
    if found is None:
        return Beginning()
    joined = bytes(found.frontier)
    frontier = tuple(joined[i : i + 32] for i in range(0, len(joined), 32))
    try:
        signed = open_checkpoint(found.note)
    except notes.InvalidNote as error:
        raise Tampered(f"the note of the checkpoint for {found.size} entries: {error}") from None
    if signed != notes.TreeHead(found.size, merkle.root(frontier)) or len(frontier) != found.size.bit_count():
        raise Tampered(f"the checkpoint for {found.size} entries is not what was signed")
    return Beginning(found.size, frontier)


def _outside(note: str) -> notes.TreeHead | None:
    """Raises `notes.InvalidNote` (a ValueError): a note that is not ours says nothing about the log."""
    return open_checkpoint(note) if note else None


def _cuts() -> list[Cut]:
    events = AuditEvent.objects.filter(type="audit:acknowledge")
    return [
        Cut(int(e.detail["kept"]), int(e.detail["offset"]))
        for e in events
        if "offset" in e.detail and is_authentic(e)
    ]


def _stream(sql: str, parameters: tuple[Any, ...]) -> Generator[tuple[Any, ...], None, None]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS):
            yield from rows


class _Dropped:
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


def _side_by_side(
    leaves: Iterator[tuple[Any, ...]], rows: Iterator[tuple[Any, ...]], dropped: _Dropped
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


def _check_event(event: Row, seq: int | None, next_xid: int, keys: Sequence[tuple[bytes, datetime]]) -> None:
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


def _check_leaf(leaf: tuple[Any, ...], event: Row | None, place: int) -> None:
    seq, event_id, _, leaf_hash = leaf
    if seq != place:
        raise Tampered("the entries before it are missing", seq=seq, event_id=event_id)
    if event is not None and bytes(leaf_hash) != bytes(event["leaf"]):
        raise Tampered("its entry in the log has another hash than its row", seq=seq, event_id=event_id)


def _check_journals(names: list[str]) -> int:
    if gone := journal_check.deleted():
        raise Tampered(f"the journal {gone[0]} was deleted")
    try:
        for line, name in journal_check.missing(names, journal_check.acknowledged()):
            raise Tampered(
                f"line {line.number + 1} of the journal {name} knows it; it was deleted",
                event_id=line.event_id,
            )
    except journal.BadJournal as error:
        raise Tampered(str(error)) from None
    return len(names)
