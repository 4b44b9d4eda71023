"""A Merkle tree implementation that is not ours (pymerkle) finds the same roots, and accepts our proofs."""

import pytest

from audit import merkle, proofs
from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogLeaf
from tests.audit.cast import entry, tick

pymerkle = pytest.importorskip("pymerkle", reason="make pins has not brought it yet")
layout = pytest.importorskip("pymerkle.core")._inclusion_path_layout
pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])


@pytest.fixture
def theirs():
    """Their tree over the payloads of our events, in the log's order."""
    for count in (1, 2, 4, 6):
        for _ in range(count):
            record(entry(count=count))
        tick()
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for event_id in LogLeaf.objects.order_by("seq").values_list("event_id", flat=True):
        tree.append_entry(AuditEvent.objects.get(id=event_id).payload.encode())
    return tree


def test_their_tree_has_our_root_at_every_checkpoint(theirs):
    found = {c.size: bytes(c.root) for c in Checkpoint.objects.all()}

    assert found == {size: theirs.get_root(size) for size in (1, 3, 7, 13)}


def test_their_verifier_accepts_our_inclusion_proofs_and_no_other(theirs):
    size = proofs.size_of_log()
    for seq in range(size):
        leaf = theirs.get_leaf(seq + 1)
        rule, _ = layout(seq + 1, size)
        path = [leaf, *proofs.inclusion(seq, size).path]
        proof = pymerkle.InclusionProof("sha256", True, size, seq + 1, rule, path)
        pymerkle.verify_inclusion(leaf, proofs.root_at(size), proof, index=seq + 1, size=size)
        with pytest.raises(pymerkle.InvalidProof):
            pymerkle.verify_inclusion(leaf, merkle.EMPTY_ROOT, proof)


def test_their_consistency_proofs_hold_between_our_roots(theirs):
    for old, new in ((1, 3), (3, 7), (7, 13), (3, 13)):
        proof = theirs.prove_consistency(old, new)
        pymerkle.verify_consistency(proofs.root_at(old), proofs.root_at(new), proof)
        assert merkle.is_consistent(
            old_size=old,
            old_root=theirs.get_root(old),
            new_size=new,
            new_root=theirs.get_root(new),
            proof=proofs.consistency(old, new),
        )
