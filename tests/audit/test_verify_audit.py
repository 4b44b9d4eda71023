"""A24: tampering by direct SQL, as a superuser with triggers off, is found and named."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit import sequencer
from audit.log import record
from audit.models import AuditEvent, LogLeaf
from tests.audit.cast import MALLORY, entry, settle, tamper, tick

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])  # a quick flush


@pytest.fixture
def ids():
    """Six events in the log, in three checkpoints."""
    made = []
    for _ in range(3):
        made += [record(entry()), record(entry(count=3, detail={"held": 1}))]
        tick()
    return made


def verify(**options):
    out = StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


def finding():
    """What verify_audit says; fails where it finds the log whole."""
    with pytest.raises(CommandError) as error:
        verify()
    assert error.value.returncode == 1
    return str(error.value)


@pytest.mark.usefixtures("ids")
def test_a_whole_log_is_said_to_be_whole():
    told = verify()

    assert "The audit log is whole." in told
    assert "6 events" in told
    assert "3 signed checkpoints, and 3 anchors outside the database (the last at 6 events)" in told
    assert "newer" not in told


def test_an_empty_log_is_whole():
    assert "0 events" in verify()


@pytest.mark.usefixtures("ids")
def test_waiting_events_are_counted_checked_and_placed_on_request():
    waiting = record(entry())

    assert "6 events" in verify()
    assert "1 newer events wait" in verify()
    settle()
    assert "7 events" in verify(wait=True)
    late = record(entry())
    tamper("UPDATE audit_event SET payload = replace(payload, '12', '13') WHERE id = %s", late)
    assert f"event {late}: its payload" in finding()
    assert LogLeaf.objects.filter(event_id=waiting).exists()


def test_a24_a_changed_payload_is_named(ids):
    assert tamper("UPDATE audit_event SET payload = replace(payload, '12', '13') WHERE id = %s", ids[2]) == 1

    assert f"entry 2, event {ids[2]}: its payload is not what was hashed" in finding()


COLUMN_CHANGES = [
    "actor = 'User/nobody'",
    f"patient = '{MALLORY}'",
    "outcome = 'deny'",
    "categories = '{medicines}'",
    "consent_number = 7",
    "count = NULL",
    "recorded_at = recorded_at + interval '1 second'",
    "type = 'record:read'",
]


@pytest.mark.parametrize("change", COLUMN_CHANGES)
def test_a24_a_changed_column_is_named(ids, change):
    tamper(f"UPDATE audit_event SET {change} WHERE id = %s", ids[3])

    assert f"entry 3, event {ids[3]}: it was changed in {change.split(' ')[0]}" in finding()


def test_a24_a_rewritten_row_without_the_mac_key_is_named(ids):
    tamper(
        "UPDATE audit_event SET payload = replace(payload, '12', '13'), count = 13, "
        "leaf = sha256('\\x00'::bytea || convert_to(replace(payload, '12', '13'), 'UTF8')) WHERE id = %s",
        ids[2],
    )

    assert f"entry 2, event {ids[2]}: the application did not write it" in finding()


def test_a24_a_row_rewritten_with_the_mac_key_is_named(ids):
    """Whoever has the application's key still cannot change what is in the tree."""
    forged = AuditEvent.objects.get(id=record(entry(count=99)))
    tamper("DELETE FROM audit_event WHERE id = %s", forged.id)
    tamper(
        "UPDATE audit_event SET (id, recorded_at, count, payload, leaf, writer_mac) = "
        "(%s, %s, 99, %s, %s, %s) WHERE id = %s",
        *(forged.id, forged.recorded_at, forged.payload, bytes(forged.leaf), bytes(forged.writer_mac)),
        ids[4],
    )

    assert f"entry 4, event {ids[4]}: its row is missing" in finding()
    tamper("UPDATE log_leaf SET event_id = %s WHERE seq = 4", forged.id)
    assert "entry 4" in finding()
    tamper("UPDATE log_leaf SET leaf = %s WHERE seq = 4", bytes(forged.leaf))
    assert "entry 5: the checkpoint for 6 entries is not of the log as it stands" in finding()


@pytest.mark.parametrize("place", [0, 3, 5])
def test_a24_a_deleted_row_is_named(ids, place):
    tamper("DELETE FROM audit_event WHERE id = %s", ids[place])

    assert f"entry {place}, event {ids[place]}: its row is missing" in finding()


INSERT_COPY = """
INSERT INTO audit_event
SELECT (jsonb_populate_record(e, %s::jsonb)).* FROM audit_event e WHERE id = %s
"""


def test_a24_a_forged_row_among_the_old_ones_is_named(ids):
    forged = "01980000-0000-7000-8000-000000000000"
    assert tamper(INSERT_COPY, f'{{"id": "{forged}"}}', ids[2]) == 1

    assert re.search(f"event {forged}: it has no entry in the log", finding())


def test_a24_a_forged_new_row_is_named(ids):
    forged = "01980000-0000-7000-8000-000000000000"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        xid = cursor.fetchone()[0]
    tamper(INSERT_COPY, f'{{"id": "{forged}", "xid": "{xid}"}}', ids[2])
    assert tick() == 1

    assert f"entry 6, event {forged}: it was changed in id" in finding()


def test_a24_a_row_put_out_of_the_sequencers_reach_is_named(ids):
    hidden = record(entry())
    tamper("UPDATE audit_event SET xid = '9000000000000000000' WHERE id = %s", hidden)
    assert sequencer.tick() == 0

    assert f"event {hidden}: its transaction id was not given out yet" in finding()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("DELETE FROM log_leaf WHERE seq = 2", "event {2}: it has no entry in the log"),
        ("DELETE FROM log_leaf WHERE seq = 5", "the checkpoint for 6 entries finds only 5 in the log"),
        (
            "UPDATE log_leaf SET seq = 9 WHERE seq = 5",
            "entry 9, event {5}: the entries before it are missing",
        ),
        ("UPDATE log_leaf SET leaf = sha256(leaf) WHERE seq = 1", "entry 1, event {1}: its entry in the log"),
        ("DELETE FROM checkpoint WHERE size = 6", "entry 5: the checkpoint for 6 entries was deleted"),
        ("DELETE FROM checkpoint WHERE size = 4", "entry 3: the checkpoint for 4 entries was deleted"),
        ("DELETE FROM checkpoint", "entry 1: the checkpoint for 2 entries was deleted"),
        ("UPDATE checkpoint SET root = sha256(root) WHERE size = 4", "entry 3: the checkpoint for 4"),
        ("UPDATE checkpoint SET frontier = '' WHERE size = 4", "entry 3: the checkpoint for 4"),
        ("UPDATE checkpoint SET note = replace(note, '4', '5') WHERE size = 4", "entry 3: the note"),
        (
            "UPDATE checkpoint c SET note = o.note FROM checkpoint o WHERE c.size = 4 AND o.size = 2",
            "entry 3: the note of the checkpoint for 4 entries: it speaks of another tree",
        ),
    ],
)
def test_a24_changed_leaves_and_checkpoints_are_named(ids, sql, found):
    assert tamper(sql)

    assert re.sub(r"\{(\d)\}", lambda m: str(ids[int(m[1])]), found) in finding()


@pytest.mark.usefixtures("ids")
def test_a24_a_newest_checkpoint_deleted_with_its_anchor_is_named(settings):
    tamper("DELETE FROM checkpoint WHERE size = 6")
    path = settings.AUDIT_ANCHOR_FILE
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:12]))

    assert "entry 4: no checkpoint stands over it" in finding()


def test_a24_a_log_rolled_back_as_a_whole_is_found_by_the_anchors(ids):
    for sql in ("checkpoint WHERE size > 4", "log_leaf WHERE seq >= 4"):
        tamper(f"DELETE FROM {sql}")
    tamper("DELETE FROM audit_event WHERE id = ANY(%s)", ids[4:])

    assert "line 13 of the anchor file says that the log had 6 entries; it has 4" in finding()


def test_a24_a_log_sealed_anew_with_the_signing_key_is_found_by_the_anchors(ids):
    tamper("DELETE FROM audit_event WHERE id = %s", ids[0])
    tamper("DELETE FROM log_leaf")
    tamper("DELETE FROM checkpoint")
    tick()

    assert "not what was anchored on line 1 of the anchor file, at 2 entries" in finding()


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: "", "is missing or empty"),
        (lambda text: text.replace("\n4\n", "\n5\n"), "the anchor file, line 7: the signature is wrong"),
        (lambda text: text + text, "the anchor file shrinks on line 19, to 2 entries"),
    ],
)
def test_a24_a_changed_anchor_file_is_named(settings, change, found):
    path = settings.AUDIT_ANCHOR_FILE
    path.write_text(change(path.read_text()))

    assert found in finding()


@pytest.mark.usefixtures("ids")
def test_a24_a_missing_anchor_file_is_told(settings):
    settings.AUDIT_ANCHOR_FILE.unlink()

    assert "is missing or empty" in finding()


@pytest.mark.usefixtures("ids")
def test_another_signing_key_is_told(settings):
    settings.AUDIT_SIGNING_KEY = bytes(32)

    assert "did not sign it" in finding()


def test_what_cannot_be_checked_is_not_called_tampered(settings):
    settings.AUDIT_SIGNING_KEY = b"short"

    with pytest.raises(CommandError, match="could not be checked") as error:
        verify()

    assert error.value.returncode == 2
