"""Recompute the whole log and hold it against itself, its checkpoints and its anchors.

Events and leaves are read side by side, both in the log's order, as two streams of one
snapshot: memory does not grow with the log.
"""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from audit import anchors, merkle, notes
from audit.log import COLUMNS, leaf_of, mac_of, said

ROWS = 2_000
EVENT_COLUMNS = ("xid", *COLUMNS, "payload", "leaf", "writer_mac")
EVENTS = (
    f"SELECT xid::text::bigint, {', '.join(EVENT_COLUMNS[1:])} "  # noqa: S608  our own names
    "FROM audit_event ORDER BY audit_event.xid, id"
)
LEAVES = "SELECT seq, event_id, log_leaf.xid::text::bigint, leaf FROM log_leaf ORDER BY seq"
CHECKPOINTS = "SELECT size, root, frontier, note FROM checkpoint ORDER BY size"
SNAPSHOT = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, coalesce((SELECT max(size) FROM checkpoint), 0)
"""


class Tampered(Exception):
    """The first thing that is wrong: what, and where. Values are never told."""

    def __init__(self, what: str, *, seq: int | None = None, event_id: UUID | None = None) -> None:
        self.what, self.seq, self.event_id = what, seq, event_id
        where = [f"entry {seq}"] if seq is not None else []
        where += [f"event {event_id}"] if event_id else []
        super().__init__(f"{', '.join(where)}: {what}" if where else what)


@dataclass(slots=True)
class Report:
    """What was found to be right."""

    entries: int = 0  # events with their place in the tree
    checkpoints: int = 0
    anchors: int = 0
    anchored: int = 0  # entries under the last anchor
    waiting: int = 0  # events that the sequencer has not placed yet, each right in itself
    root: bytes = merkle.EMPTY_ROOT


Progress = Callable[[int, int], None]
Row = dict[str, Any]


def verify(progress: Progress = lambda done, total: None) -> Report:
    """Check all there is; `progress(done, total)` is called now and then. Raises `Tampered`."""
    verifier = notes.signer().verifier
    path = Path(settings.AUDIT_ANCHOR_FILE)
    # Before the snapshot: what is anchored by now was committed before, so the snapshot has it.
    length = path.stat().st_size if path.exists() else 0
    report = Report()
    # Streams are closed here, not by the garbage collector: it may come while the connection is locked.
    with transaction.atomic(), ExitStack() as streams:
        next_xid, total = _snapshot()
        leaves, events, checkpoints, anchored = (
            streams.enter_context(closing(stream))
            for stream in (
                _stream(LEAVES),
                _stream(EVENTS),
                _stream(CHECKPOINTS),
                anchors.read(path, verifier, length),
            )
        )
        tree = _Tree(verifier, checkpoints, anchored)
        for leaf, event in _side_by_side(leaves, events):
            _check_event(event, leaf[0] if leaf else None, next_xid)
            if leaf is None:
                report.waiting += 1
            else:
                _check_leaf(leaf, event, tree.size)
                tree.add(event["leaf"])
            if (tree.size + report.waiting) % ROWS == 0:
                progress(tree.size, total)
        tree.finish()
    if tree.checkpoints and not (path.exists() and path.stat().st_size):
        raise Tampered(f"the anchor file {path} is missing or empty")
    report.entries, report.checkpoints, report.anchors = tree.size, tree.checkpoints, tree.anchors
    report.anchored, report.root = tree.anchored, merkle.root(tree.frontier)
    return report


def _snapshot() -> tuple[int, int]:
    """Fix what is looked at; the next transaction id, and about how many entries there are."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(SNAPSHOT)
        return cursor.fetchone()


def _stream(sql: str) -> Generator[tuple[Any, ...], None, None]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(ROWS):
            yield from rows


def _side_by_side(
    leaves: Iterator[tuple[Any, ...]], rows: Iterator[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...] | None, Row]]:
    """Each event with its leaf; without one after the last leaf, where events wait for their place."""
    events = (dict(zip(EVENT_COLUMNS, row, strict=True)) for row in rows)
    event = next(events, None)
    for leaf in leaves:
        seq, event_id, xid, _ = leaf
        if event is None or (xid, event_id) < (event["xid"], event["id"]):
            raise Tampered("its row is missing: it was deleted, or moved", seq=seq, event_id=event_id)
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


def _check_event(event: Row, seq: int | None, next_xid: int) -> None:
    """The row in itself: leaf, writer's MAC, and columns that say what the payload says."""

    def tampered(what: str) -> Tampered:
        return Tampered(what, seq=seq, event_id=event["id"])

    leaf = bytes(event["leaf"])
    if leaf_of(event["payload"].encode()) != leaf:
        raise tampered("its payload is not what was hashed when it was written")
    if mac_of(leaf) != bytes(event["writer_mac"]):
        raise tampered("the application did not write it: its MAC is wrong")
    payload = json.loads(event["payload"])
    payload.pop("detail", None)
    columns = said(event)
    if payload != columns:
        names = sorted(n for n in {*payload, *columns} if payload.get(n) != columns.get(n))
        raise tampered(f"it was changed in {', '.join(names)}: the payload says otherwise")
    if event["xid"] >= next_xid:
        raise tampered("its transaction id was not given out yet (after a restore: see docs/audit.md)")


def _check_leaf(leaf: tuple[Any, ...], event: Row, place: int) -> None:
    seq, event_id, _, leaf_hash = leaf
    if seq != place:
        raise Tampered("the entries before it are missing", seq=seq, event_id=event_id)
    if bytes(leaf_hash) != bytes(event["leaf"]):
        raise Tampered("its entry in the log has another hash than its row", seq=seq, event_id=event_id)


class _Tree:
    """The tree as it grows, held against the checkpoints and anchors that come up on the way."""

    def __init__(
        self,
        verifier: notes.Verifier,
        checkpoints: Iterator[tuple[Any, ...]],
        anchored: Iterator[tuple[int, notes.TreeHead]],
    ) -> None:
        self.size, self.checkpoints, self.anchors, self.anchored = 0, 0, 0, 0
        self.frontier: list[bytes] = []
        self._verifier = verifier
        self._rows, self._anchored = checkpoints, self._readable(anchored)
        self._row, self._anchor = next(self._rows, None), next(self._anchored, None)
        self._signed = 0  # the size of the last checkpoint met

    def add(self, leaf: memoryview | bytes) -> None:
        merkle.append(self.frontier, self.size, bytes(leaf))
        self.size += 1
        if self._row and self._row[0] == self.size:
            self._check_row(*self._row)
            self._row = next(self._rows, None)
        while self._anchor and self._anchor[1].size <= self.size:
            self._check_anchor(*self._anchor)
            self._anchor = next(self._anchored, None)

    def finish(self) -> None:
        if self._row:
            raise Tampered(f"the checkpoint for {self._row[0]} entries finds only {self.size} in the log")
        if self._anchor:
            line, head = self._anchor
            raise Tampered(
                f"line {line} of the anchor file says that the log had {head.size} entries; "
                f"it has {self.size}"
            )
        if self._signed != self.size:
            raise Tampered("no checkpoint stands over it: the newest one was deleted", seq=self._signed)

    def _check_row(self, size: int, root: memoryview, frontier: memoryview, note: str) -> None:
        head = notes.TreeHead(size, merkle.root(self.frontier))
        if bytes(root) != head.root or bytes(frontier) != b"".join(self.frontier):
            raise Tampered(f"the checkpoint for {size} entries is not of the log as it stands", seq=size - 1)
        try:
            if notes.open_checkpoint(note, self._verifier) != head:
                raise notes.InvalidNote("it speaks of another tree")
        except notes.InvalidNote as error:
            raise Tampered(f"the note of the checkpoint for {size} entries: {error}", seq=size - 1) from None
        self._signed = size
        self.checkpoints += 1

    def _check_anchor(self, line: int, head: notes.TreeHead) -> None:
        if head.size != self.size:
            raise Tampered(f"the anchor file shrinks on line {line}, to {head.size} entries")
        if head.root != merkle.root(self.frontier):
            raise Tampered(
                f"the log is not what was anchored on line {line} of the anchor file, at {head.size} entries",
                seq=head.size - 1,
            )
        if self._signed != head.size:
            raise Tampered(
                f"the checkpoint for {head.size} entries was deleted: line {line} of the anchor file has it",
                seq=head.size - 1,
            )
        self.anchors, self.anchored = self.anchors + 1, head.size

    @staticmethod
    def _readable(anchored: Iterator[tuple[int, notes.TreeHead]]) -> Iterator[tuple[int, notes.TreeHead]]:
        try:
            yield from anchored
        except notes.InvalidNote as error:
            raise Tampered(f"the anchor file, {error}") from None
