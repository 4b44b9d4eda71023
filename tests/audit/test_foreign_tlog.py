"""What is not ours finds the same: pymerkle our roots and proofs, sigstore our proofs and signed notes."""

from types import SimpleNamespace

import pymerkle
import pytest
from pymerkle.core import _inclusion_path_layout as layout
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKeyDetails

from audit import merkle, notes, proofs
from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogLeaf
from tests.audit.cast import entry, tick

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


# Signed notes and proofs, read by sigstore as it reads those of Rekor


def keyring(public_key: bytes):
    der = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" + public_key  # RFC 8410, 4
    key = SimpleNamespace(raw_bytes=der, key_details=PublicKeyDetails.PKIX_ED25519)
    return RekorKeyring(Keyring([key]))


def test_sigstore_reads_our_checkpoints_and_finds_them_signed(theirs):
    by = notes.signer().verifier
    for each in Checkpoint.objects.all():
        found = SignedCheckpoint.from_text(each.note)

        found.signed_note.verify(keyring(by.public_key), KeyID(by.key_id))
        assert (found.checkpoint.origin, found.checkpoint.log_size) == (by.name, each.size)
        assert found.checkpoint.log_hash == theirs.get_root(each.size).hex()


def test_sigstore_refuses_a_changed_checkpoint_and_another_key():
    record(entry())
    tick()
    by, note = notes.signer().verifier, Checkpoint.objects.get().note
    changed = SignedCheckpoint.from_text(note.replace("\n1\n", "\n2\n"))
    stranger = notes.Signer(by.name, b"s" * 32).verifier

    with pytest.raises(VerificationError):
        changed.signed_note.verify(keyring(by.public_key), KeyID(by.key_id))
    with pytest.raises(VerificationError):
        SignedCheckpoint.from_text(note).signed_note.verify(keyring(stranger.public_key), KeyID(by.key_id))


def test_sigstore_accepts_our_inclusion_proofs_and_no_other(theirs):
    size = proofs.size_of_log()
    events = LogLeaf.objects.order_by("seq").values_list("event_id", flat=True)
    for seq, event_id in enumerate(events):
        proof = SimpleNamespace(
            log_index=seq,
            tree_size=size,
            hashes=proofs.inclusion(seq, size).path,
            root_hash=proofs.root_at(size),
        )
        body = AuditEvent.objects.get(id=event_id).payload.encode()
        verify_merkle_inclusion(in_rekor(proof, body))
        with pytest.raises(VerificationError):
            verify_merkle_inclusion(in_rekor(proof, body + b" "))


def in_rekor(proof, body):
    return SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=body))
