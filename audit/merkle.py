"""The Merkle tree of RFC 9162 (section 2.1), SHA-256. Pure: bytes in, bytes out.

A leaf here is always a leaf hash, SHA-256(0x00 || entry); `audit.log.leaf_of` makes them.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
STORED = 8  # of every so many levels the nodes are kept


class Node(NamedTuple):
    """The root of the perfect subtree over the leaves from place * 2**level on."""

    level: int
    place: int
    hash: bytes


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: list[bytes], size: int, leaf: bytes) -> list[Node]:
    """Add a leaf to the frontier of a tree of `size` leaves, in place; return the stored nodes it completes.

    The frontier holds the roots of the perfect subtrees that the tree is made of, largest
    first: one for each bit that is set in `size`.
    """
    level, completed = 0, []
    while size & 1:
        leaf = node_hash(frontier.pop(), leaf)
        size, level = size >> 1, level + 1
        if level % STORED == 0:
            completed.append(Node(level, size, leaf))
    frontier.append(leaf)
    return completed


def root(frontier: Sequence[bytes]) -> bytes:
    """The root of the tree that has this frontier."""
    if not frontier:
        return EMPTY_ROOT
    result = frontier[-1]
    for subtree in reversed(frontier[:-1]):
        result = node_hash(subtree, result)
    return result


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, over leaf hashes."""
    frontier: list[bytes] = []
    for size, leaf in enumerate(leaves):
        append(frontier, size, leaf)
    return root(frontier)


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1: what proves that leaf `index` is in the tree. Raises `IndexError`."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} in a tree of {len(leaves)}")
    low, high, siblings = 0, len(leaves), []
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            siblings.append(root_of(leaves[middle:high]))
            high = middle
        else:
            siblings.append(root_of(leaves[low:middle]))
            low = middle
    return siblings[::-1]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """PROOF of RFC 9162, 2.1.4.1: what proves that the tree of `old_size` leaves is this tree's start.

    Raises `IndexError` where 0 < old_size <= len(leaves) does not hold.
    """
    if not 0 < old_size <= len(leaves):
        raise IndexError(f"no tree of {old_size} in a tree of {len(leaves)}")
    low, high, siblings = 0, len(leaves), []
    while high != old_size:
        middle = low + split(high - low)
        if old_size <= middle:
            siblings.append(root_of(leaves[middle:high]))
            high = middle
        else:
            siblings.append(root_of(leaves[low:middle]))
            low = middle
    if low > 0:  # otherwise it is the old tree's root, which the verifier has
        siblings.append(root_of(leaves[low:high]))
    return siblings[::-1]


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            result = node_hash(sibling, result)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and result == root


def is_consistent(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows that the old tree is the start of the new one (RFC 9162, 2.1.4.2).

    Every tree starts with the empty one.
    """
    if old_size == new_size or old_size == 0:
        return not proof and (old_root == new_root if old_size == new_size else old_root == EMPTY_ROOT)
    if not 0 < old_size < new_size or not proof:
        return False
    # A perfect old tree is a node of the new one, and its root goes before the proof.
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
