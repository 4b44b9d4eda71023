import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from audit import merkle, notes, sequencer
from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogLeaf
from tests.audit.cast import connected_as, entry, settle, tamper, tick
from tests.servers import ROOT

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])  # a quick flush


def leaves():
    return list(LogLeaf.objects.order_by("seq").values_list("seq", "event_id"))


def test_tick_places_events_in_the_order_of_their_transactions():
    ids = [record(entry()) for _ in range(3)]

    assert tick() == 3

    assert leaves() == [*enumerate(ids)]
    assert tick() == 0


def test_tick_signs_and_anchors_the_tree(settings):
    for _ in range(3):
        record(entry())
        tick()

    newest = Checkpoint.objects.order_by("size").last()
    hashes = [bytes(leaf) for leaf in LogLeaf.objects.order_by("seq").values_list("leaf", flat=True)]
    head = notes.open_checkpoint(newest.note, notes.signer().verifier)
    assert head == notes.TreeHead(3, merkle.root_of(hashes))
    assert (newest.size, bytes(newest.root)) == (head.size, head.root)
    assert settings.AUDIT_ANCHOR_FILE.read_text() == "".join(
        c.note + "\n" for c in Checkpoint.objects.order_by("size")
    )


def test_tick_with_nothing_new_makes_no_checkpoint():
    tick()

    assert not Checkpoint.objects.exists()


def test_tick_takes_a_long_transaction_in_batches():
    with transaction.atomic():
        ids = [record(entry()) for _ in range(5)]

    assert [tick(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert [event_id for _, event_id in leaves()] == sorted(ids)


@contextmanager
def open_transaction():
    """Another session that wrote and has not committed."""
    with connected_as("postgres") as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        yield


def test_tick_waits_for_transactions_that_began_before():
    first = record(entry())
    settle()
    with open_transaction():
        second = record(entry())
        assert sequencer.tick() == 1
        assert leaves() == [(0, first)]

    assert tick() == 1
    assert leaves() == [(0, first), (1, second)]


def test_only_one_sequencer_works():
    record(entry())
    with connected_as("postgres") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [sequencer.LEADER])
        assert tick() == 0

    assert tick(wait=True) == 1


def test_every_event_gets_one_leaf_while_many_write():
    def write(number):
        try:
            for n in range(25):
                with transaction.atomic():
                    record(entry(correlation_id=f"writer-{number}-{n}"))
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=[n]) for n in range(6)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        sequencer.tick(limit=7)
    settle()
    sequencer.catch_up()

    assert Counter(event_id for _, event_id in leaves()) == Counter(
        AuditEvent.objects.values_list("id", flat=True)
    )
    assert [seq for seq, _ in leaves()] == list(range(150))
    call_command("verify_audit")


def test_a24_tick_refuses_to_go_on_where_the_newest_checkpoint_is_gone():
    record(entry())
    tick()
    tamper("DELETE FROM checkpoint")
    record(entry())

    with pytest.raises(sequencer.BrokenLog, match="for 0 entries, but the log has 1"):
        tick()


def test_tick_refuses_to_go_on_where_the_transaction_counter_went_back():
    record(entry())
    tick()
    tamper("UPDATE log_leaf SET xid = '9000000000000000000'")

    with pytest.raises(sequencer.BrokenLog, match="dump and restore"):
        tick()


def test_a_checkpoint_that_a_crash_left_unanchored_is_anchored_at_the_next_start(settings):
    record(entry())
    tick()
    settings.AUDIT_ANCHOR_FILE.unlink()

    sequencer.start()

    assert settings.AUDIT_ANCHOR_FILE.read_text() == Checkpoint.objects.get().note + "\n"
    call_command("verify_audit")


@contextmanager
def running(settings):
    """The command as a process of its own, on the test's database."""
    environment = os.environ | {
        "AUDIT_ANCHOR_FILE": str(settings.AUDIT_ANCHOR_FILE),
        "AUDIT_JOURNAL_FOLDER": str(settings.AUDIT_JOURNAL_FOLDER),
        "DATABASE_URL": os.environ["DATABASE_URL"].replace(
            "/chartkey?", f"/{connection.settings_dict['NAME']}?"
        ),
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "manage.py", "audit_sequence"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def eventually(question):
    deadline = time.monotonic() + 20
    while not (answer := question()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return answer


def test_the_command_says_when_it_is_ready_survives_a_lost_connection_and_stops_when_told(settings):
    with running(settings) as process:
        assert process.stdout.readline() == "audit_sequence is ready\n"
        record(entry())
        eventually(LogLeaf.objects.filter(seq=0).exists)

        with connected_as("postgres") as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid NOT IN (pg_backend_pid(), %s)",
                [connection.connection.info.backend_pid],
            )
        record(entry())
        eventually(LogLeaf.objects.filter(seq=1).exists)

        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    call_command("verify_audit")


def test_the_command_places_once_and_ends(capsys):
    record(entry())
    settle()

    call_command("audit_sequence", once=True)

    assert capsys.readouterr().out == "Placed 1 events.\n"
