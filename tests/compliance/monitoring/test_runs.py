"""A run is whole or has not happened; its statements do not grow with the events."""

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from audit import sequencer
from audit.log import uuid7
from compliance.monitoring import alerts, runs, stream
from compliance.monitoring.models import Alert, Cursor, Known, Once, Tally
from demo.traffic.writing import write
from tests import factories
from tests.compliance.monitoring.watching import app_reads, at, place, reads, watch


def state():
    """Windows, what counts once, what is known and what was found."""
    return (
        sorted(Tally.objects.values_list("measure", "kind", "subject", "about", "starts_at", "count")),
        Once.objects.count(),
        Known.objects.count(),
        sorted(Alert.objects.values_list("detector", "subject", "count")),
    )


def some_days():
    days = [*app_reads(at(1), 30, network="198.51.0.0/24"), *app_reads(at(2), 90, denied="consent.category")]
    return [*days, *app_reads(at(3), 200, count=40)]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_killed_has_not_happened_and_the_next_reads_the_same(monkeypatch):
    """The database ends the run's connection when all but the commit is done; the events come once."""
    write(some_days())
    sequencer.catch_up()
    assert runs.run(limit=100) == 100
    before, read = state(), Cursor.objects.get().seq

    def killed(*_):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(runs.tallies, "learn", killed)
        with pytest.raises(OperationalError):
            runs.run(limit=100)
    connection.close()

    assert (state(), Cursor.objects.get().seq) == (before, read)
    while runs.run(limit=100, by_log=True):
        pass
    in_parts = state()
    for model in (Alert, Tally, Once, Known, Cursor):
        model.objects.all().delete()
    runs.run(limit=10_000, by_log=True)
    assert state()[:3] == in_parts[:3]
    assert sum(count for *_, count in in_parts[0] if count) > 0


@pytest.mark.django_db
def test_the_statements_of_a_run_do_not_grow_with_its_events():
    osei = factories.create_staff("Dr. Ngozi Osei", "clinician")
    watch(app_reads(at(1), 2), reads(osei, at(1), 2))
    counts = []
    for day, many in ((2, 3), (3, 300)):
        write([*app_reads(at(day), many), *reads(osei, at(day), min(many, 12), patient="Patient/p")])
        place()
        with CaptureQueriesContext(
            connection,
        ) as captured:
            runs.run(by_log=True)
        counts.append(len(captured))

    assert counts[0] == counts[1]
    assert counts[0] <= 24


@pytest.mark.django_db
def test_the_next_events_are_read_by_the_index_of_the_logs_order():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        zero = "00000000-0000-0000-0000-000000000000"
        cursor.execute("EXPLAIN " + stream.EVENTS, [0, zero, 10**9, zero])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "xid_id_idx" in plan


@pytest.mark.django_db
def test_nothing_new_is_read_as_nothing():
    watch(app_reads(at(1), 3))

    assert runs.run() == 0
    assert Cursor.objects.get().seq == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "made_up", ["ffffffff-ffff-4fff-8fff-ffffffffffff", ""], ids=["no id of ours", "ours"]
)
def test_entries_without_their_event_are_a_gap(made_up):
    watch(app_reads(at(1), 3))
    write(app_reads(at(2), 3))
    place()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO log_leaf (seq, event_id, xid, leaf) SELECT seq + 1, %s, xid, leaf "
            "FROM log_leaf ORDER BY seq DESC LIMIT 1",
            [made_up or uuid7(at(2))],
        )

    found = watch_placed()

    assert [(alert.detector, alert.about) for alert in found] == [("log", "gap")]


def watch_placed():
    runs.run(by_log=True)
    return list(Alert.objects.all())


@pytest.mark.django_db
def test_what_is_older_than_a_week_is_learned_from_and_raises_nothing():
    write([*app_reads(at(0), 90, denied="consent.category"), *app_reads(at(9), 1)])
    place()
    runs.run(by_log=True)

    assert not Alert.objects.exists()
    assert alerts.tunings()["denials"] == 1
