"""The witness cosigns what grew from what it saw, and nothing else (c2sp.org/tlog-witness)."""

import base64
import http.client
from urllib.parse import urlsplit

import pytest

from audit import anchors, health, merkle, monitor, notes, proofs, sequencer
from audit.log import record
from audit.models import Anchor, Checkpoint, LogState
from tests.audit.cast import entry, tamper, tick
from tests.audit.witness import NAME, program, witness

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])


@pytest.fixture
def seen(tmp_path, settings):
    with witness(tmp_path) as running:
        settings.AUDIT_WITNESSES = [running.setting]
        yield running


def grow(count=3):
    for _ in range(count):
        record(entry())
    tick()
    return Checkpoint.objects.order_by("-size").first()


def post(running, old, proof, note):
    connection = http.client.HTTPConnection(urlsplit(running.address).netloc, timeout=20)
    lines = [f"old {old}", *(base64.b64encode(p).decode() for p in proof), "", note]
    connection.request("POST", "/add-checkpoint", "\n".join(lines).encode())
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers["Content-Type"]


def forged(size, root=b"\x07" * 32):
    return notes.checkpoint(notes.TreeHead(size, root), notes.signer())


def test_checkpoints_are_cosigned_as_the_log_grows(seen):
    grow(3)
    assert anchors.send() == {}
    newest = grow(4)
    assert anchors.send() == {}

    kept = Anchor.objects.order_by("-size").first()
    assert (kept.size, kept.note.startswith(newest.note)) == (7, True)
    assert notes.Cosigner.parse(seen.key).cosigned_at(kept.note) > 1_600_000_000
    assert anchors.cosigned_note() == kept.note
    assert anchors.send() == {}


def test_a_lost_state_of_ours_is_asked_of_the_witness(seen):
    grow(3)
    anchors.send()
    grow(2)
    tamper("DELETE FROM audit_anchor")

    assert anchors.send() == {}
    assert Anchor.objects.get().size == 5


@pytest.mark.usefixtures("db")
def test_a24_a_fork_a_shrinking_log_and_a_replayed_checkpoint_are_refused(seen):
    old = grow(3)
    anchors.send()
    new = grow(2)
    proof = proofs.consistency(3, 5)

    assert post(seen, 3, proof, forged(5))[0] == 422
    assert post(seen, 3, [], forged(3))[0] == 409
    assert post(seen, 0, [], forged(2)) == (409, "3\n", "text/x.tlog.size")
    assert post(seen, 3, proof, new.note)[0] == 200
    assert post(seen, 3, [], old.note) == (409, "5\n", "text/x.tlog.size")
    assert post(seen, 5, [], old.note)[0] == 400


def test_two_views_of_one_log_cannot_both_be_cosigned(seen):
    """A split view: patient A is shown one tree of 5 entries, patient B another, both signed by the log."""
    grow(3)
    anchors.send()
    shown_to_a = grow(2)
    proof = proofs.consistency(3, 5)
    leaves = [bytes([n]) * 32 for n in range(5)]
    shown_to_b = forged(5, merkle.root_of(leaves))

    assert post(seen, 3, proof, shown_to_a.note)[0] == 200
    assert post(seen, 5, [], shown_to_b)[0] == 409
    assert post(seen, 3, merkle.consistency_proof(leaves, 3), shown_to_b)[0] == 409


def test_strangers_and_nonsense_are_turned_away(seen):
    note = grow(1).note
    stranger = notes.Signer("another.example/log", bytes(32))
    elsewhere = notes.checkpoint(notes.TreeHead(1, bytes(32)), stranger)
    unsigned = notes.checkpoint(notes.TreeHead(1, bytes(32)), notes.Signer(notes.signer().name, b"\x09" * 32))

    assert post(seen, 0, [], elsewhere)[0] == 404
    assert post(seen, 0, [], unsigned)[0] == 403
    assert post(seen, "01", [], note)[0] == 400
    assert post(seen, 0, [bytes(32)] * 64, note)[0] == 400
    assert post(seen, 0, [b"short"], note)[0] == 400
    assert post(seen, 0, [bytes(32)], note)[0] == 422


def test_F15_while_the_witness_is_down_anchors_wait_and_the_log_goes_on(tmp_path, settings):
    with witness(tmp_path) as running:
        settings.AUDIT_WITNESSES = [running.setting]
        grow(2)
        anchors.send()
    grow(2)
    assert list(anchors.send()) == [f"witness {NAME}"]
    grow(2)
    tamper("UPDATE checkpoint SET made_at = made_at - interval '1 hour'")

    monitor.look()

    assert health.state() is health.State.LAGGING
    assert "has taken nothing since the log had 2 entries" in health.current().what
    assert not health.current().holds
    with witness(tmp_path, port=int(running.address.rsplit(":", 1)[1])):
        assert anchors.send() == {}
    monitor.look()
    assert health.state() is health.State.WHOLE


def test_F16_a_witness_that_saw_more_than_there_is_raises_the_alarm(seen, settings):
    grow(3)
    grow(2)
    anchors.send()
    tamper("DELETE FROM checkpoint WHERE size > 3")
    tamper("DELETE FROM log_leaf WHERE seq >= 3")
    tamper("DELETE FROM audit_anchor")

    anchors.send()

    newest = LogState.objects.order_by("-id").first()
    assert (newest.state, newest.kept, newest.expected, newest.holds) == ("truncated", 3, 5, True)
    assert sequencer.tick() == 0


def test_a_witness_forgets_only_when_its_operator_says_so(tmp_path, settings):
    with witness(tmp_path) as running:
        settings.AUDIT_WITNESSES = [running.setting]
        grow(3)
        anchors.send()
    program("forget", "--state", str(tmp_path / "state.json"), "--origin", settings.AUDIT_ORIGIN)
    with witness(tmp_path) as running:
        settings.AUDIT_WITNESSES = [running.setting]
        assert post(running, 0, [], forged(2))[0] == 200
    assert '"forgotten": [{' in (tmp_path / "state.json").read_text()
