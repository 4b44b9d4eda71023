"""Inclusion and consistency proofs from the stored tree (RFC 9162, 2.1.3 and 2.1.4).

A proof reads at most 256 leaves and some hundred stored nodes, however large the log is. Stored nodes that
are missing are computed from what is below them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from audit import merkle, notes
from audit.merkle import STORED

LEAVES = "SELECT leaf FROM log_leaf WHERE seq >= %s AND seq < %s ORDER BY seq"
NODES = "SELECT index, hash FROM log_node WHERE level = %s AND index >= %s AND index < %s ORDER BY index"


class NoSuchTree(ValueError):
    """A proof was asked for of an entry or a size that the log never had."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    seq: int
    size: int
    path: list[bytes]


def size_of_log() -> int:
    """Entries under the newest checkpoint."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(size), 0) FROM checkpoint")
        return int(cursor.fetchone()[0])


def root_at(size: int) -> bytes:
    """The tree's root when it had so many entries. Raises `NoSuchTree`."""
    _must(0 <= size <= size_of_log(), f"the log never had {size} entries")
    return _root(0, size) if size else merkle.EMPTY_ROOT


def agrees(head: notes.TreeHead) -> bool:
    """Whether the log, at that size, is the one of this tree head."""
    try:
        return root_at(head.size) == head.root
    except NoSuchTree:
        return False


def place_of(event_id: UUID) -> int | None:
    """The number of an event's entry; None while it waits for its place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM log_leaf WHERE event_id = %s", [event_id])
        row = cursor.fetchone()
    return row[0] if row else None


def inclusion(seq: int, size: int) -> Inclusion:
    """What proves that entry `seq` is in the tree of `size` entries. Raises `NoSuchTree`."""
    _must(size <= size_of_log(), f"the log never had {size} entries")
    _must(0 <= seq < size, f"entry {seq} is not in a log of {size} entries")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + merkle.split(high - low)
        if seq < middle:
            path.append(_root(middle, high))
            high = middle
        else:
            path.append(_root(low, middle))
            low = middle
    return Inclusion(seq, size, path[::-1])


def consistency(old: int, new: int) -> list[bytes]:
    """What proves that the tree of `old` entries is the start of that of `new`. Raises `NoSuchTree`."""
    _must(new <= size_of_log(), f"the log never had {new} entries")
    _must(0 < old <= new, f"a log of {new} entries never began with {old}")
    low, high, path = 0, new, []
    while high != old:
        middle = low + merkle.split(high - low)
        if old <= middle:
            path.append(_root(middle, high))
            high = middle
        else:
            path.append(_root(low, middle))
            low = middle
    if low > 0:  # otherwise it is the old tree's root, which the verifier has
        path.append(_root(low, high))
    return path[::-1]


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NoSuchTree(otherwise)


def _root(low: int, high: int) -> bytes:
    """The root over [low, high), where low is a multiple of the power of two at or above the length."""
    parts = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append(_perfect(level, low >> level))
        low += 1 << level
    return merkle.root(parts)


def _perfect(level: int, index: int) -> bytes:
    """The root of one perfect subtree, from the stored level at or below its own."""
    kept = level // STORED * STORED
    if kept == level and level and (node := _stored(level, index, index + 1).get(index)):
        return node
    below = kept - STORED if kept == level and level else kept  # a node that is not there: from those below
    first, count = index << (level - below), 1 << (level - below)
    frontier: list[bytes] = []
    for size, child in enumerate(_children(below, first, first + count)):
        merkle.append(frontier, size, child)
    return merkle.root(frontier)


def _children(level: int, first: int, last: int) -> Iterator[bytes]:
    if level:
        found = _stored(level, first, last)
        yield from (found.get(i) or _perfect(level, i) for i in range(first, last))
        return
    with connection.cursor() as cursor:
        cursor.execute(LEAVES, [first, last])
        leaves = [bytes(leaf) for (leaf,) in cursor.fetchall()]
    _must(len(leaves) == last - first, f"the log lacks entries between {first} and {last}")
    yield from leaves


def _stored(level: int, first: int, last: int) -> dict[int, bytes]:
    with connection.cursor() as cursor:
        cursor.execute(NODES, [level, first, last])
        return {index: bytes(node) for index, node in cursor.fetchall()}
