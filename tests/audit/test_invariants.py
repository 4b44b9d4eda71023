"""Each invariant of the log, broken on purpose by a superuser: the checker and the monitor name it.

`tests/conftest.py` asks the same checker of every log that a test which commits has left.
"""

import pytest
from django.conf import settings

from audit import anchor_file, health, invariants, journal, monitor, notes, sequencer
from audit.log import record
from audit.models import AuditEvent
from tests.audit.cast import entry, settle, tamper, tick

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])

NEWEST = "(SELECT id FROM audit_event ORDER BY xid DESC, id DESC LIMIT 1)"


@pytest.fixture(autouse=True)
def log_of_four():
    """Three events with their places, and one that waits for its own."""
    for _ in range(3):
        record(entry())
        tick()
    record(entry())
    assert invariants.broken() == []


def broken() -> list[str]:
    return [found[:2] for found in invariants.broken()]


def test_I1_an_event_that_was_answered_for_and_is_gone_is_found():
    tamper(f"DELETE FROM audit_event WHERE id = {NEWEST}")

    assert broken() == ["I1"]


def test_I1_an_answer_without_an_event_is_found():
    """What would be so if bytes left in a transaction that was rolled back: a line, and no row."""
    from tests.audit import tampering

    tampering.tampered = True
    journal.append(AuditEvent.objects.earliest("recorded_at").id, b"\0" * 32)

    assert broken() == ["I1"]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM log_leaf WHERE seq = 1",
        "INSERT INTO log_leaf SELECT -1, event_id, xid, leaf FROM log_leaf WHERE seq = 1",
    ],
)
def test_I2_an_event_without_a_leaf_and_one_with_two_are_found(sql):
    tamper(sql)

    assert "I2" in broken()


@pytest.mark.parametrize("column", ["payload = payload || ' '", "leaf = sha256(leaf)"])
def test_I3_a_leaf_that_is_not_of_its_payload_is_found(column):
    tamper(f"UPDATE audit_event SET {column} WHERE id = (SELECT event_id FROM log_leaf WHERE seq = 1)")

    assert broken() == ["I3"]


def test_I4_a_tree_that_is_not_the_anchored_one_is_found():
    """Sealed anew by somebody with the signing key: all that the database holds agrees with itself."""
    tamper("DELETE FROM checkpoint")
    tamper("DELETE FROM log_leaf")
    tamper(
        "UPDATE audit_event SET payload = payload || ' ',"
        " leaf = sha256('\\x00'::bytea || convert_to(payload || ' ', 'UTF8'))"
    )
    file = settings.AUDIT_ANCHOR_FILE
    kept = file.read_text()
    sequencer.catch_up()
    file.write_text(kept)

    assert "I4" in broken()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM checkpoint WHERE size = 3",
        "WITH c AS (DELETE FROM checkpoint WHERE size = 3) DELETE FROM log_leaf WHERE seq = 2",
    ],
)
def test_I5_a_log_that_shrank_is_found(sql):
    tamper(sql)

    assert broken() == ["I5"]


def test_I5_an_anchor_of_more_than_there_is_is_found():
    from tests.audit import tampering

    tampering.tampered = True
    more = notes.checkpoint(notes.TreeHead(9, b"\1" * 32), notes.signer())
    anchor_file.append(settings.AUDIT_ANCHOR_FILE, more)

    assert broken() == ["I5"]


def test_F12_a_clock_that_was_set_back_shortens_nothing_and_alarms_nobody():
    tamper("UPDATE checkpoint SET made_at = made_at - interval '1 hour' WHERE size = 3")

    assert invariants.broken() == []


def test_I7_an_event_that_got_its_place_late_is_told_of():
    settle()
    sequencer.tick()
    assert invariants.merge_delay(minutes=monitor.LATELY) < 30
    tamper("UPDATE checkpoint SET made_at = made_at + interval '90 seconds' WHERE size = 4")

    monitor.look()

    assert invariants.merge_delay() > 30
    assert health.current().state == health.State.LAGGING
    assert "I7" in health.current().what


@pytest.mark.parametrize(
    "sql",
    [
        f"DELETE FROM audit_event WHERE id = {NEWEST}",
        "DELETE FROM log_leaf WHERE seq = 1",
        "UPDATE audit_event SET leaf = sha256(leaf) WHERE id = (SELECT event_id FROM log_leaf WHERE seq = 1)",
        "DELETE FROM checkpoint WHERE size = 3",
    ],
)
def test_the_monitor_alarms_when_one_does_not_hold(sql, monkeypatch):
    """Also where the verifier that it calls first would say nothing."""
    monkeypatch.setattr(monitor, "verify", lambda **_: None)
    tamper(sql)

    monitor.look()

    assert health.state() in health.STAYS
    told = AuditEvent.objects.filter(type="fault:report").values_list("outcome", flat=True)
    assert set(told) == {"failed"}
