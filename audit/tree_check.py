"""The tree as it grows, held against the checkpoints, stored nodes and anchors that come up on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit import merkle, notes
from audit.anchor_file import Anchored
from audit.keyring import open_checkpoint


class Tampered(Exception):
    """The first thing that is wrong: what, and where. Values are never told."""

    def __init__(self, what: str, *, seq: int | None = None, event_id: UUID | None = None) -> None:
        self.what, self.seq, self.event_id = what, seq, event_id
        where = [f"entry {seq}"] if seq is not None else []
        where += [f"event {event_id}"] if event_id else []
        super().__init__(f"{', '.join(where)}: {what}" if where else what)


@dataclass(frozen=True, slots=True)
class Cut:
    """A restore that was acknowledged: anchors before `offset` in the file, over more than `kept`, are
    lost."""

    kept: int
    offset: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a check begins: a signed checkpoint, or the empty log."""

    size: int = 0
    frontier: tuple[bytes, ...] = ()


class Tree:
    def __init__(
        self,
        checkpoints: Iterator[tuple[Any, ...]],
        nodes: Iterator[tuple[Any, ...]],
        anchored: Iterator[Anchored],
        cuts: Sequence[Cut],
        beginning: Beginning,
    ) -> None:
        self.size, self.frontier = beginning.size, list(beginning.frontier)
        self.checkpoints, self.anchors, self.anchored, self.lost = 0, 0, 0, 0
        self._rows, self._nodes, self._cuts = checkpoints, nodes, cuts
        self._anchored = self._kept(anchored, beginning)
        self._row, self._anchor = next(self._rows, None), next(self._anchored, None)
        self._node = next(self._nodes, None)
        self.signed = beginning.size  # the size of the last checkpoint met

    def add(self, leaves: Sequence[bytes]) -> None:
        """Leaf hashes, as they follow; up to the next checkpoint or anchor at a time."""
        place = 0
        while place < len(leaves):
            until = min(len(leaves), place + self._to_the_next())
            self._grow(leaves[place:until])
            place = until
            self._look()

    def _grow(self, leaves: Sequence[bytes]) -> None:
        for leaf in leaves:
            for node in merkle.append(self.frontier, self.size, leaf):
                self._check_node(node)
            self.size += 1

    def _to_the_next(self) -> int:
        """How many leaves until something is to be compared; at least one."""
        sizes = [self._row[0]] if self._row else []
        sizes += [self._anchor.head.size] if self._anchor else []
        return max(1, min(sizes, default=2**62) - self.size)

    def _look(self) -> None:
        if self._row and self._row[0] == self.size:
            self._check_row(*self._row)
            self._row = next(self._rows, None)
        while self._anchor and self._anchor.head.size <= self.size:
            self._check_anchor(*self._anchor)
            self._anchor = next(self._anchored, None)

    def finish(self, *, whole: bool) -> None:
        """`whole`: the log's end was reached, not that of a range."""
        if not whole:
            return
        if self._row:
            raise Tampered(f"the checkpoint for {self._row[0]} entries finds only {self.size} in the log")
        if self._anchor:
            line, _, head = self._anchor
            raise Tampered(
                f"TRUNCATED: entries {self.size} to {head.size - 1} are not there: "
                f"line {line} of the anchor file says that the log had {head.size} entries; "
                f"it has {self.size}"
            )
        if self.signed != self.size:
            raise Tampered("no checkpoint stands over it: the newest one was deleted", seq=self.signed)

    def _check_node(self, node: merkle.Node) -> None:
        if self._node is None or self._node[:2] != node[:2]:
            return  # proofs compute one that is not there
        if bytes(self._node[2]) != node.hash:
            raise Tampered(f"the stored node {node.level}/{node.place} is not of the log", seq=self.size)
        self._node = next(self._nodes, None)

    def _check_row(self, size: int, root: memoryview, frontier: memoryview, note: str) -> None:
        head = notes.TreeHead(size, merkle.root(self.frontier))
        if bytes(root) != head.root or bytes(frontier) != b"".join(self.frontier):
            raise Tampered(f"the checkpoint for {size} entries is not of the log as it stands", seq=size - 1)
        try:
            if open_checkpoint(note) != head:
                raise notes.InvalidNote("it speaks of another tree")
        except notes.InvalidNote as error:
            raise Tampered(f"the note of the checkpoint for {size} entries: {error}", seq=size - 1) from None
        self.signed = size
        self.checkpoints += 1

    def _check_anchor(self, line: int, offset: int, head: notes.TreeHead) -> None:
        if head.size != self.size:
            raise Tampered(f"the anchor file shrinks on line {line}, to {head.size} entries")
        if head.root != merkle.root(self.frontier):
            raise Tampered(
                f"the log is not what was anchored on line {line} of the anchor file, at {head.size} entries",
                seq=head.size - 1,
            )
        if self.signed != head.size:
            raise Tampered(
                f"the checkpoint for {head.size} entries was deleted: line {line} of the anchor file has it",
                seq=head.size - 1,
            )
        self.anchors, self.anchored = self.anchors + 1, head.size

    def _kept(self, anchored: Iterator[Anchored], beginning: Beginning) -> Iterator[Anchored]:
        """Without those of a branch that a restore lost, and those before the beginning."""
        try:
            for anchor in anchored:
                if any(anchor.offset < cut.offset and anchor.head.size > cut.kept for cut in self._cuts):
                    self.lost += 1
                elif anchor.head.size > beginning.size:
                    yield anchor
                elif anchor.head.size == beginning.size and anchor.head.root != merkle.root(
                    beginning.frontier
                ):
                    raise Tampered(
                        f"the log is not what was anchored on line {anchor.line} of the anchor file"
                    )
        except notes.InvalidNote as error:
            raise Tampered(f"the anchor file, {error}") from None
