"""Recompute the log, or a range of it, and hold it against itself, its checkpoints, anchors and journals.

Events and leaves are read side by side, both in the log's order and in one snapshot, a chunk at a time:
memory does not grow with the log.
"""

from collections import deque
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit import anchor_file, chunks, journal, journal_check, merkle, notes, rows
from audit.chunks_beside import Beside, chunks_of
from audit.keyring import is_authentic, mac_keys, open_checkpoint, verifiers
from audit.models import AuditEvent, Checkpoint
from audit.tree_check import Beginning, Cut, Tampered, Tree

ROWS = 2_000
ALL = 2**62
RECENT = 400  # chunks whose leaves are remembered for the journals, which tell of the newest events
LONG = 500_000  # entries for which it pays to start more processes, some two seconds of CPU each
CHECKPOINTS = "SELECT size, root, frontier, note FROM checkpoint WHERE size > %s ORDER BY size"
NODES = """
SELECT level, index, hash FROM log_node WHERE (index + 1) << level > %s ORDER BY (index + 1) << level, level
"""
SNAPSHOT = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, coalesce((SELECT max(size) FROM checkpoint), 0),
       pg_export_snapshot()
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


def verify(
    progress: Progress = lambda done, total: None,
    *,
    start: int = 0,
    stop: int | None = None,
    against: str = "",
    processes: int = 1,
    on_checkpoint: Callable[[int], None] = lambda size: None,
) -> Report:
    """Check all there is, or the entries from the checkpoint at or before `start` to `stop`.

    `against` is a signed checkpoint from elsewhere that the log must hold. A long log is looked at by so
    many `processes`. `progress(done, total)` and `on_checkpoint(size)`, from which a later call can go on,
    are called now and then. Raises `Tampered`.
    """
    verifiers()  # keys that cannot be read are no tampering
    path = Path(settings.AUDIT_ANCHOR_FILE)
    # Before the snapshot: what is anchored or journalled by now was committed before, so the snapshot has it.
    length = path.stat().st_size if path.exists() else 0
    journals = journal.sizes()
    report = Report()
    # Streams are closed here, not by the garbage collector: it may come while the connection is locked.
    with transaction.atomic(), ExitStack() as streams:
        next_xid, total, snapshot = _snapshot()
        beginning = _beginning(start)
        outside, dropped = _outside(against), rows.Dropped()

        def stream(sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
            return streams.enter_context(closing(_stream(sql, parameters)))

        tree = Tree(
            stream(CHECKPOINTS, beginning.size),
            stream(NODES, beginning.size),
            streams.enter_context(closing(anchor_file.read(path, length))),
            _cuts(),
            beginning,
        )
        look = _Look(tree, dropped, next_xid, report)
        pauses = [outside.size] if outside else []
        beside = Beside(snapshot, chunks.conninfo(), next_xid, look.keys, pauses)
        last, recent = chunks.place_of(beginning.size - 1), deque[Sequence[bytes]](maxlen=RECENT)
        for chunk in streams.enter_context(closing(_chunks(beside, beginning.size, stop, total, processes))):
            if chunk.is_right and chunk.start == tree.size:
                tree.add(chunk.leaves)
                recent.append(chunk.leaves)
            else:
                look.one_by_one(chunk.end, last, chunk.last)
            last = chunk.last
            if outside and tree.size == outside.size and merkle.root(tree.frontier) != outside.root:
                raise Tampered("the log is not the one of the checkpoint given", seq=tree.size - 1)
            progress(tree.size, total)
            on_checkpoint(tree.signed)
        if stop is None:
            look.one_by_one(ALL, last, None)
        tree.finish(whole=stop is None)
        dropped.finish(whole=stop is None and not beginning.size)
        if stop is None:
            report.journalled = _check_journals(journals, set[bytes]().union(*recent))
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


def _chunks(
    beside: Beside, start: int, stop: int | None, total: int, processes: int
) -> Generator[chunks.Chunk, None, None]:
    """Up to `stop`, or to the end; more processes stop at the newest checkpoint, and what is after it is not
    right."""
    end = total if stop is None else min(stop, total)
    if processes > 1 and end - start >= LONG:
        return chunks_of(beside, start, end, processes=processes)
    reader = chunks.Reader(beside.next_xid, beside.keys)
    return reader.chunks(beside.snapshot, start, stop or ALL, beside.pauses, beside.where)


class _Look:
    """At rows one by one, where they are not all alike right."""

    def __init__(self, tree: Tree, dropped: rows.Dropped, next_xid: int, report: Report) -> None:
        self.keys = mac_keys()
        self._tree, self._dropped, self._next, self._report = tree, dropped, next_xid, report

    def one_by_one(self, end: int, after: chunks.Place, last: chunks.Place | None) -> None:
        """At the entries before `end`, and the events between two places; without `last`, all that follow."""
        start = self._tree.size
        events = (
            _stream(rows.EVENTS.format(rows.UP_TO), (*after, *last))
            if last
            else _stream(rows.EVENTS.format(""), (*after,))
        )
        with closing(_stream(rows.LEAVES, (start, end))) as leaves, closing(events):
            for leaf, event in rows.side_by_side(leaves, events, self._dropped):
                if event is not None:
                    rows.check_event(event, leaf[0] if leaf else None, self._next, self.keys)
                if leaf is None:
                    self._report.waiting += 1
                else:
                    rows.check_leaf(leaf, event, self._tree.size)
                    self._tree.add([bytes(leaf[3])])


def _snapshot() -> tuple[int, int, str]:
    """Fix what is looked at; the next transaction id, about how many entries there are, and its name."""
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


def _check_journals(sizes: Mapping[str, int], seen: Container[bytes]) -> int:
    """`sizes`: how long each journal was before the snapshot. What was written later may be of events that
    the snapshot does not have, and what is pruned since is no loss. `seen`: leaves of the newest entries."""
    if gone := [name for name in journal_check.deleted() if name not in sizes]:
        raise Tampered(f"the journal {gone[0]} was deleted")
    try:
        for line, name in journal_check.missing(sizes, journal_check.acknowledged(), seen):
            raise Tampered(
                f"line {line.number + 1} of the journal {name} knows it; it was deleted",
                event_id=line.event_id,
            )
    except journal.BadJournal as error:
        raise Tampered(str(error)) from None
    return len(sizes)
