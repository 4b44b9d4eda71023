"""Faults around the log, with a PostgreSQL of this file's own to be killed."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from audit import anchor_file, health, invariants, log, monitor, sequencer
from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogLeaf
from config.embedded import OWNER, psql_program, start_postgres
from tests.audit.cast import connected_as, entry, settle, tick
from tests.servers import ROOT

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])

WRITER = """
import sys, time
import django
django.setup()
from django.db import DatabaseError, connection
from audit.log import record
from tests.audit.cast import entry
while True:
    try:
        print(record(entry()), flush=True)
    except DatabaseError as error:
        print(type(error).__name__, flush=True)
        connection.close()
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def own():
    """A migrated cluster of its own, and the environment of who writes to it."""
    folder = settings.VAR / f"faults-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    shutil.rmtree(folder, ignore_errors=True)  # a folder that the server's own user can reach
    server = start_postgres(folder / "pg")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": server.url(OWNER),
        "AUDIT_JOURNAL_FOLDER": str(folder / "journal"),
        "AUDIT_ANCHOR_FILE": str(folder / "checkpoints.txt"),
    }
    manage(environment, "migrate", "audit", "-v", "0")
    yield folder / "pg", server, environment
    server.stop()


def manage(environment, *arguments, check=True):
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=check)


def pg_ctl(data: Path, *arguments: str) -> None:
    with Path(os.devnull).open("w") as nowhere:
        subprocess.run(
            [psql_program().with_name("pg_ctl"), "-D", data, *arguments],
            check=True,
            user="pgserver" if os.geteuid() == 0 else None,  # PostgreSQL does not run as root
            stdout=nowhere,
            stderr=nowhere,
        )


@pytest.mark.django_db(transaction=False)
def test_F3_postgres_stopped_at_once_under_load_loses_no_acknowledged_row(own):
    data, server, environment = own
    socket = server.socket_folder
    writers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WRITER],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told: list[str] = []

    def listen(process):
        for line in process.stdout:
            told.append(line.strip())

    listeners = [threading.Thread(target=listen, args=[w]) for w in writers]
    for listener in listeners:
        listener.start()
    for _ in range(2):
        before = len(told)
        wait_for(lambda before=before: sum(len(t) == 36 for t in told[before:]) > 150)
        pg_ctl(data, "stop", "-m", "immediate")
        wait_for(lambda: told[-1] == "OperationalError")
        pg_ctl(data, "start", "-w", "-l", str(data / "again.log"), "-o", f"-k {socket} -h ''")
    seen = len(told)
    wait_for(lambda: any(len(t) == 36 for t in told[seen:]))
    for writer in writers:
        writer.kill()
    for writer, listener in zip(writers, listeners, strict=True):
        listener.join()
        writer.communicate()
    acknowledged = {t for t in told if len(t) == 36}

    with psycopg.connect(server.url("postgres"), autocommit=True) as database:
        kept = {str(i) for (i,) in database.execute("SELECT id FROM audit_event").fetchall()}
    assert len(acknowledged) > 300
    assert acknowledged <= kept
    assert set(told) - acknowledged <= {"OperationalError", "InterfaceError", ""}
    done = manage(environment, "verify_audit", "--wait", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for(question):
    """Patiently: a test beside this one may hold a transaction open, and with it the horizon of all."""
    deadline = time.monotonic() + 300
    while not question():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_F5_a_read_only_database_takes_no_event_and_so_lets_nothing_out():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises(DatabaseError, match="read-only"):
            record(entry())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert not AuditEvent.objects.exists()


def test_F12_a_clock_that_jumps_changes_times_and_not_the_order(monkeypatch):
    ids = []
    for hours in (0, 1, -1, 0):
        with monkeypatch.context() as patch:
            at = log._now() + hours * log.timedelta(hours=1)
            patch.setattr(log, "_now", lambda at=at: at)
            ids.append(record(entry()))
    tick()

    assert list(LogLeaf.objects.order_by("seq").values_list("event_id", flat=True)) == ids
    assert invariants.broken() == []


def test_F15_an_anchor_file_that_cannot_be_written_holds_nobody_up_and_gets_all_of_it_later(
    settings, tmp_path
):
    (tmp_path / "folder").mkdir()
    whole, settings.AUDIT_ANCHOR_FILE = settings.AUDIT_ANCHOR_FILE, tmp_path / "folder"
    for _ in range(2):
        record(entry())
        assert tick() == 1
    settings.AUDIT_ANCHOR_FILE = whole
    record(entry())
    tick()

    assert [a.head.size for a in anchor_file.read(whole, whole.stat().st_size)] == [1, 2, 3]


TICKS = """
import django
django.setup()
from audit import sequencer
while True:
    sequencer.tick(limit=3)
"""


def test_F15_two_sequencers_one_killed_again_and_again_leave_no_gap_and_no_fork(settings, monkeypatch):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "AUDIT_ANCHOR_FILE": str(settings.AUDIT_ANCHOR_FILE),
        "AUDIT_JOURNAL_FOLDER": str(settings.AUDIT_JOURNAL_FOLDER),
        "DATABASE_URL": os.environ["DATABASE_URL"].replace(
            "/chartkey?", f"/{connection.settings_dict['NAME']}?"
        ),
    }

    def start():
        return subprocess.Popen([sys.executable, "-W", "ignore", "-c", TICKS], cwd=ROOT, env=environment)

    steady, victim = start(), start()
    try:
        for _ in range(3):
            for _ in range(60):
                record(entry())
            size = LogLeaf.objects.count()
            wait_for(lambda size=size: LogLeaf.objects.count() > size + 9)
            victim.kill()
            victim.wait()
            victim = start()
    finally:
        for each in (steady, victim):
            each.kill()
            each.wait()
    settle()
    sequencer.start()
    sequencer.catch_up()

    assert list(LogLeaf.objects.order_by("seq").values_list("seq", flat=True)) == list(range(180))
    assert invariants.broken() == []
    monkeypatch.setattr(invariants, "DELAY", 60.0)  # events waited while nobody led
    assert monitor.look() is None or health.state() is health.State.WHOLE


def test_F15_a_transaction_that_stays_open_raises_the_alarm_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(monitor, "LONG_WAIT", 0.0)
    monkeypatch.setattr(invariants, "DELAY", 60.0)
    with connected_as("postgres") as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        record(entry())
        assert sequencer.tick() == 0
        monitor.look()
        assert health.state() is health.State.LAGGING
        assert "wait for their place" in health.current().what
    tick()

    monitor.look()

    assert health.state() is health.State.WHOLE
    told = AuditEvent.objects.filter(type="fault:report").order_by("id")
    assert [(e.outcome, e.target, e.reasons) for e in told] == [
        ("failed", "System/log", ["log.late"]),
        ("done", "System/log", ["log.late"]),
    ]
    assert Checkpoint.objects.get().size == 2
