"""The tree against a naive reading of RFC 9162, section 2.1."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from audit import merkle

LEAVES = [hashlib.sha256(bytes([0, n])).digest() for n in range(70)]
sizes = st.integers(0, len(LEAVES))


def mth(leaves):
    """MTH, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m, leaves):
    """PATH, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m, leaves, whole):
    """SUBPROOF, 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


@given(sizes)
def test_root_is_the_merkle_tree_hash(size):
    assert merkle.root_of(LEAVES[:size]) == mth(LEAVES[:size])


@given(sizes)
def test_frontier_has_one_subtree_for_each_bit_of_the_size(size):
    frontier = []
    for place, leaf in enumerate(LEAVES[:size]):
        merkle.append(frontier, place, leaf)

    assert len(frontier) == size.bit_count()


@given(st.data(), sizes.filter(bool))
def test_inclusion_proof_is_the_path_and_verifies(data, size):
    index, leaves = data.draw(st.integers(0, size - 1)), LEAVES[:size]

    proof = merkle.inclusion_proof(leaves, index)

    assert proof == path(index, leaves)
    assert merkle.includes(leaf=leaves[index], index=index, size=size, proof=proof, root=mth(leaves))


@given(st.data(), st.integers(2, len(LEAVES)))
def test_inclusion_proof_of_another_leaf_place_or_tree_is_refused(data, size):
    index, leaves = data.draw(st.integers(0, size - 1)), LEAVES[:size]
    right = {"leaf": leaves[index], "index": index, "size": size, "root": mth(leaves)}
    right["proof"] = merkle.inclusion_proof(leaves, index)
    wrong = data.draw(
        st.sampled_from(
            [
                {"leaf": hashlib.sha256(b"forged").digest()},
                {"index": (index + 1) % size},
                {"index": size},
                {"root": mth(leaves[:-1])},
                {"proof": right["proof"][:-1]},
                {"proof": [*right["proof"], LEAVES[0]]},
            ]
        )
    )

    assert merkle.includes(**right)
    assert not merkle.includes(**(right | wrong))


@given(st.data(), sizes.filter(bool))
def test_consistency_proof_is_the_standards_and_verifies(data, size):
    old, leaves = data.draw(st.integers(1, size)), LEAVES[:size]

    proof = merkle.consistency_proof(leaves, old)

    assert proof == subproof(old, leaves, True)
    assert merkle.is_consistent(
        old_size=old, old_root=mth(leaves[:old]), new_size=size, new_root=mth(leaves), proof=proof
    )


@given(st.data(), st.integers(2, len(LEAVES)))
def test_consistency_proof_of_a_rewritten_log_is_refused(data, size):
    old, leaves = data.draw(st.integers(1, size - 1)), LEAVES[:size]
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*leaves]
    rewritten[changed] = hashlib.sha256(b"forged").digest()

    assert not merkle.is_consistent(
        old_size=old,
        old_root=mth(leaves[:old]),
        new_size=size,
        new_root=mth(rewritten),
        proof=merkle.consistency_proof(rewritten, old),
    )


@given(sizes)
def test_every_tree_starts_with_the_empty_one(size):
    new = mth(LEAVES[:size])
    heads = {"old_size": 0, "old_root": merkle.EMPTY_ROOT, "new_size": size, "new_root": new}

    assert merkle.is_consistent(**heads, proof=[])
    assert not merkle.is_consistent(**heads, proof=[new])


@given(sizes.filter(bool))
def test_a_tree_that_shrank_is_not_consistent(size):
    assert not merkle.is_consistent(
        old_size=size,
        old_root=mth(LEAVES[:size]),
        new_size=size - 1,
        new_root=mth(LEAVES[: size - 1]),
        proof=[],
    )
