"""The stand-alone verifier, run as a patient runs it: one file, a bare Python, nothing of ours."""

import base64
import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import anchors, evidence, merkle, notes, proofs
from audit.log import record
from audit.models import Checkpoint
from audit.verifier import chartkey_verify as verifier
from tests.audit.cast import ALICE, MALLORY, entry, tick
from tests.audit.witness import witness

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])


@pytest.fixture
def listing(tmp_path):
    """Alice's five events, the last of which waits for its place, among Mallory's."""
    for n in range(4):
        record(entry(count=n))
        record(entry(patient=MALLORY))
    tick()
    record(entry(count=9))
    path = tmp_path / "activity.ndjson"
    path.write_text("".join(evidence.of_patient(ALICE)))
    return path


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-I", "-S", evidence.VERIFIER, *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout


def key():
    return str(notes.signer().verifier)


def test_a_list_is_right_and_says_what_is_still_open(listing):
    code, told = run("list", listing, "--key", key())

    assert code == 0
    assert "All is right. 4 events are in the log chartkey.example/audit of 8 entries" in told
    assert "1 newer events had no place in the log yet" in told


def changed(path, change):
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


def with_payload(line, old, new):
    event = json.loads(line)
    event["payload"] = event["payload"].replace(old, new)
    return json.dumps(event)


def with_place(line):
    return json.dumps(json.loads(line) | {"index": 0})


CHANGES = [
    (lambda ls: [*ls[:2], with_payload(ls[2], "glucotrack", "nobody"), *ls[3:]], 1),
    (lambda ls: [*ls[:2], with_place(ls[2]), *ls[3:]], 1),
    (lambda ls: [*ls[:3], ls[2], *ls[3:]], 1),
    (lambda ls: [ls[0].replace("\\n8\\n", "\\n9\\n"), *ls[1:]], 1),
    (lambda ls: ["{}", *ls[1:]], 2),
    (lambda ls: [ls[0], "nonsense"], 2),
    (lambda ls: [ls[0], "[]"], 2),
    (lambda ls: [ls[0], '{"payload": "{}", "proof": ["x"], "index": 0}'], 2),
]


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_a_changed_list_is_not_right(listing, change, code):
    changed(listing, change)

    found, told = run("list", listing, "--key", key())

    assert found == code
    assert told.startswith("NOT RIGHT." if code == 1 else "It could not be checked.")


def test_another_key_a_broken_key_and_no_file(listing, tmp_path):
    other = str(notes.Signer(notes.signer().name, bytes(32)).verifier)

    assert run("list", listing, "--key", other)[0] == 1
    assert run("list", listing, "--key", key()[:-4])[0] == 2
    assert run("list", tmp_path / "none", "--key", key())[0] == 2


def test_two_checkpoints_are_consistent_or_the_log_was_rewritten(listing, tmp_path):
    tick()
    first, second = Checkpoint.objects.order_by("size")
    old, new, proof, rewritten = (tmp_path / name for name in ("old", "new", "proof", "rewritten"))
    old.write_text(first.note)
    new.write_text(second.note)
    lines = [base64.b64encode(p).decode() for p in proofs.consistency(first.size, second.size)]
    proof.write_text("\n".join(lines))
    rewritten.write_text(notes.checkpoint(notes.TreeHead(second.size, bytes(32)), notes.signer()))

    assert run("consistency", old, new, "--proof", proof, "--key", key())[0] == 0
    assert run("consistency", old, rewritten, "--proof", proof, "--key", key())[0] == 1
    assert "shrank" in run("consistency", new, old, "--key", key())[1]


def test_cosignatures_are_demanded_by_name(listing, tmp_path, settings):
    with witness(tmp_path) as running:
        settings.AUDIT_WITNESSES = [running.setting]
        anchors.send()
        missing = run("list", listing, "--key", key(), "--witness", running.key)
        listing.write_text("".join(evidence.of_patient(ALICE)))
        found = run("list", listing, "--key", key(), "--witness", running.key)

    assert missing[0] == 1
    assert "did not cosign" in missing[1]
    assert found[0] == 0
    assert "cosigned by witness.example/w1" in found[1]


@pytest.mark.django_db(transaction=False)
def test_its_ed25519_agrees_with_the_library_and_with_rfc_8032():
    """RFC 8032, 7.1, test 2; then fifty keys of the library's, each signature right and each spoilt."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verifier.signed(public, b"\x72", signature)
    assert not verifier.signed(public, b"\x73", signature)
    for n in range(50):
        secret = Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
        raw, message = secret.public_key().public_bytes_raw(), bytes([n]) * n
        signed = secret.sign(message)
        spoilt = bytes([signed[0] ^ 1]) + signed[1:]
        malleable = signed[:32] + (int.from_bytes(signed[32:], "little") + verifier.Q).to_bytes(32, "little")
        assert verifier.signed(raw, message, signed)
        assert not verifier.signed(raw, message, spoilt)
        assert not verifier.signed(raw, message, malleable)


def test_its_tree_agrees_with_ours():
    leaves = [verifier.leaf_hash(bytes([n])) for n in range(33)]
    for size in range(1, 34):
        root = merkle.root_of(leaves[:size])
        for index in range(size):
            path = merkle.inclusion_proof(leaves[:size], index)
            assert verifier.includes(leaves[index], index, size, path, root)
            assert not verifier.includes(leaves[index], index, size, [*path, bytes(32)], root)
        for old in range(1, size):
            path = merkle.consistency_proof(leaves[:size], old)
            assert verifier.consistent(old, merkle.root_of(leaves[:old]), size, root, path)
            assert not verifier.consistent(old, bytes(32), size, root, path)
