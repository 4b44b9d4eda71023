"""verify_audit of a range, from where it stopped, and against a checkpoint from elsewhere."""

import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit import chunks, journal, journal_check, merkle, notes, tree_check, verification
from audit.log import record
from audit.management.commands import verify_audit
from audit.models import Checkpoint
from tests.audit.cast import entry, tamper, tick

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])


@pytest.fixture
def ids():
    made = []
    for _ in range(4):
        made += [record(entry()), record(entry())]
        tick()
    return made


def verify(**options):
    out = StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


def test_a_range_is_looked_at_from_a_signed_checkpoint_on(ids):
    tamper("UPDATE audit_event SET actor = 'User/x' WHERE id = %s", ids[1])

    assert "4 events" in verify(start=5)
    assert "Looked at from entry 4 on" in verify(start=5)
    with pytest.raises(CommandError, match="entry 1"):
        verify()
    with pytest.raises(CommandError, match="entry 1"):
        verify(stop=3)


def test_what_is_after_a_range_is_not_looked_at(ids):
    tamper("UPDATE audit_event SET actor = 'User/x' WHERE id = %s", ids[7])

    assert "7 events" in verify(stop=7)


@pytest.mark.usefixtures("ids")
def test_a_range_does_not_begin_at_a_forged_checkpoint():
    tamper("UPDATE checkpoint SET frontier = decode(repeat('ab', 32), 'hex') WHERE size = 4")

    with pytest.raises(CommandError, match="is not what was signed"):
        verify(start=4)


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("options", [{"start": -1}, {"start": 3, "stop": 3}])
def test_a_range_in_the_wrong_order_is_refused(options):
    with pytest.raises(CommandError, match="in their order") as error:
        verify(**options)

    assert error.value.returncode == 2


@pytest.mark.usefixtures("ids")
def test_a_check_goes_on_from_where_it_stopped(tmp_path, monkeypatch):
    place = tmp_path / "place.json"
    monkeypatch.setattr(chunks, "SIZE", 5)
    with monkeypatch.context() as patch:
        patch.setattr(verify_audit._Progress, "__call__", lambda self, done, total: 1 / (done <= 5))
        with pytest.raises(ZeroDivisionError):
            verify(resume=place)
    assert json.loads(place.read_text()) == {"size": 4}

    assert "Looked at from entry 4 on" in verify(resume=place)
    assert json.loads(place.read_text()) == {"size": 8}


@pytest.mark.usefixtures("ids")
def test_a_checkpoint_from_elsewhere_must_be_of_this_log(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text(Checkpoint.objects.get(size=6).note)
    assert "whole" in verify(against=note)

    for size, root in ((6, merkle.EMPTY_ROOT), (9, bytes(32))):
        note.write_text(notes.checkpoint(notes.TreeHead(size, root), notes.signer()))
        with pytest.raises(CommandError, match="checkpoint given") as error:
            verify(against=note)
        assert error.value.returncode == 1
    note.write_text("nonsense")
    with pytest.raises(CommandError, match="could not be checked"):
        verify(against=note)


@pytest.mark.usefixtures("ids")
def test_a_stored_node_of_another_tree_is_found():
    for _ in range(3):
        with_many = [record(entry()) for _ in range(84)]
    tick()
    assert len(with_many) == 84
    tamper("UPDATE log_node SET hash = sha256(hash)")

    with pytest.raises(CommandError, match="the stored node 8/0 is not of the log"):
        verify()


@pytest.mark.usefixtures("ids")
def test_what_is_written_while_it_looks_is_no_loss():
    """Its snapshot does not have the event, whose line stands in a journal that it reads later."""

    def somebody_signs_in(done: int, total: int) -> None:
        def write() -> None:
            record(entry())
            connection.close()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    assert verification.verify(somebody_signs_in).entries == 8


@pytest.mark.usefixtures("ids")
def test_a_journal_that_is_pruned_while_it_looks_is_no_loss():
    journal_check.register()

    def prune(done: int, total: int) -> None:
        for path in journal.files():
            path.unlink()

    assert verification.verify(prune).entries == 8
    with pytest.raises(tree_check.Tampered, match="was deleted"):
        verification.verify()
