"""F16: a restored older backup is seen at once, holds changes and releases, and goes on by a word."""

import os
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from audit import health, monitor, sequencer, truncation
from audit.health import State
from audit.keeping.acknowledgement import NothingToAcknowledge, acknowledge
from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogState
from config.embedded import psql_program
from tests.audit import tampering
from tests.audit.cast import connected_as, entry, tamper, tick
from tests.servers import ROOT

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])
CORA = "User/0197-cora"
RESTORED = "audit_restored"


def grow(count):
    made = [record(entry()) for _ in range(count)]
    tick()
    return made


def rolled_back(size):
    """As an older backup has it."""
    tamper("DELETE FROM checkpoint WHERE size > %s", size)
    tamper("DELETE FROM audit_event WHERE id IN (SELECT event_id FROM log_leaf WHERE seq >= %s)", size)
    tamper("DELETE FROM log_leaf WHERE seq >= %s", size)


@pytest.fixture
def cut():
    """Three entries are left of five."""
    grow(3)
    grow(2)
    rolled_back(3)
    truncation.look()


@pytest.mark.usefixtures("cut")
def test_the_exact_range_is_told():
    newest = health.current()

    assert (newest.state, newest.kept, newest.expected) == ("truncated", 3, 5)
    assert "entries 3 to 4 are not there" in newest.what
    with pytest.raises(CommandError, match="TRUNCATED: entries 3 to 4 are not there") as error:
        call_command("verify_audit")
    assert error.value.returncode == 1


PASSES = [
    {"type": "session:start", "outcome": "permit"},
    {"outcome": "deny", "reasons": ("consent.none",)},
    {"outcome": "failed"},
    {"type": "record:read", "role": "patient", "actor": "User/alice", "client": ""},
]
WAITS = [
    {},
    {"role": "helper"},
    {"role": "clinician"},
    {"type": "consent:grant", "outcome": "done", "role": "patient"},
    {"type": "token:issue", "outcome": "done"},
    {"type": "export:download", "outcome": "permit", "role": "patient", "target": "Export/1"},
]


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("changes", PASSES)
def test_while_it_holds_people_sign_in_and_read_their_own_record(changes):
    assert record(entry(**changes))


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("changes", WAITS)
def test_while_it_holds_nothing_is_changed_or_given_to_others(changes):
    with pytest.raises(DatabaseError, match="on hold"):
        record(entry(**changes))
    with pytest.raises(DatabaseError, match="on hold"):
        record(entry(**changes), only_if=("true", []))


@pytest.mark.usefixtures("cut")
def test_nothing_is_sealed_while_it_holds():
    record(entry(type="session:start"))

    assert tick() == 0
    assert Checkpoint.objects.count() == 1


@pytest.mark.usefixtures("cut")
def test_acknowledged_it_goes_on_and_says_what_was_lost(capsys):
    monitor.look()
    assert health.state() is State.TRUNCATED
    call_command("audit_acknowledge", by=CORA)
    assert "Nothing was done" in capsys.readouterr().out

    call_command("audit_acknowledge", by=CORA, yes=True)

    said = AuditEvent.objects.get(type="audit:acknowledge")
    assert said.actor == CORA
    assert (said.detail["kept"], said.detail["expected"]) == (3, 5)
    grow(4)
    call_command("verify_audit")
    assert "1 anchors are of what a restore lost, as acknowledged" in capsys.readouterr().out
    truncation.look()
    monitor.look()
    assert health.state() is State.WHOLE


@pytest.mark.usefixtures("cut")
def test_a24_an_acknowledgement_excuses_no_later_loss():
    acknowledge(by=CORA)
    grow(3)
    rolled_back(5)

    with pytest.raises(CommandError, match=r"TRUNCATED|deleted"):
        call_command("verify_audit")


@pytest.mark.usefixtures("cut")
def test_a24_the_state_itself_cannot_be_taken_back():
    with connected_as("chartkey_app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("DELETE FROM audit_state")
    tamper("DELETE FROM audit_state")

    truncation.look()

    assert health.state() is State.TRUNCATED


def test_there_is_nothing_to_acknowledge_of_a_whole_log():
    grow(1)

    with pytest.raises(NothingToAcknowledge):
        acknowledge(by=CORA)


@pytest.mark.parametrize(("setting", "holds"), [("serve", False), ("stop", True)])
def test_a_broken_log_is_shouted_about_and_stops_reads_where_the_site_says_so(
    settings, setting, holds, caplog
):
    settings.AUDIT_ON_BROKEN = setting
    first = grow(2)[0]
    tamper("UPDATE audit_event SET actor = 'User/nobody' WHERE id = %s", first)

    monitor.look()
    monitor.look()

    newest = LogState.objects.get()
    assert (newest.state, newest.holds) == ("broken", holds)
    assert f"event {first}" in newest.what
    assert "needs attention" in caplog.text
    if holds:
        with pytest.raises(DatabaseError, match="on hold"):
            record(entry())
    else:
        assert record(entry())
    acknowledge(by=CORA)
    monitor.look()
    assert health.state() is State.WHOLE


def pg(name, *arguments):
    parameters = connection.get_connection_params()
    subprocess.run(
        [psql_program().with_name(name), "-h", parameters["host"], "-U", "postgres", *arguments], check=True
    )


@contextmanager
def restored(dump):
    """The dump in a database of its own, and the environment that names it."""
    with connected_as("postgres") as superuser:
        superuser.execute(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)")
        superuser.execute(f"CREATE DATABASE {RESTORED}")
    pg("pg_restore", "-d", RESTORED, str(dump))
    host = quote(connection.get_connection_params()["host"], safe="")
    try:
        yield f"postgresql://postgres@/{RESTORED}?host={host}"
    finally:
        with connected_as("postgres") as superuser:
            superuser.execute(f"DROP DATABASE {RESTORED} WITH (FORCE)")


def manage(settings, database, *arguments):
    environment = os.environ | {
        "DATABASE_URL": database,
        "AUDIT_ANCHOR_FILE": str(settings.AUDIT_ANCHOR_FILE),
        "AUDIT_JOURNAL_FOLDER": str(settings.AUDIT_JOURNAL_FOLDER),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_F16_a_real_dump_and_restore(settings, tmp_path):
    tampering.tampered = True
    grow(3)
    dump = tmp_path / "backup.dump"
    pg("pg_dump", "-Fc", "-f", str(dump), connection.settings_dict["NAME"])
    grow(2)
    record(entry())  # not sealed: only the journal knows it

    with restored(dump) as database:
        code, told = manage(settings, database, "verify_audit")
        assert code == 1
        assert "TRUNCATED: entries 3 to 4 are not there" in told

        code, told = manage(settings, database, "audit_sequence", "--once")
        assert (code, "is on hold" in told) == (1, True)
        with psycopg.connect(database, autocommit=True) as other:
            newest = other.execute("SELECT state, kept, expected, holds FROM audit_state").fetchall()
        assert newest == [("truncated", 3, 5, True)]

        assert manage(settings, database, "audit_acknowledge", "--by", CORA, "--yes")[0] == 0
        code, told = manage(settings, database, "verify_audit", "--wait")
        assert (code, "The audit log is whole." in told) == (0, True), told


def test_F16_a_restore_that_lost_only_what_was_not_sealed_is_seen_by_the_journal():
    grow(2)
    gone = record(entry())
    tamper("DELETE FROM audit_event WHERE id = %s", gone)

    truncation.look()

    assert (health.current().kept, health.current().expected) == (2, 3)
    assert "1 newest events are not there" in health.current().what
    acknowledge(by=CORA)
    call_command("verify_audit")
    sequencer.catch_up()
    call_command("verify_audit")
