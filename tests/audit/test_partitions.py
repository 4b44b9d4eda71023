from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from audit import log, partitions, tasks
from audit.log import record
from audit.models import AuditEvent
from audit.verification import verify
from tests.audit.cast import entry, tick

pytestmark = pytest.mark.django_db


def names():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relid::regclass::text FROM pg_partition_tree('audit_event') WHERE isleaf")
        return {name for (name,) in cursor.fetchall()}


def month(ahead):
    now = datetime.now(UTC)
    year, number = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return f"audit_event_{year}_{number + 1:02}"


def test_this_month_and_the_next_three_are_there():
    assert {month(n) for n in range(4)} <= names()


def test_months_are_made_once():
    assert month(6) in partitions.ensure(months_ahead=6)
    assert partitions.ensure(months_ahead=6) == []
    tasks.make_partitions()

    assert {month(n) for n in range(7)} <= names()


def test_there_is_no_default_partition():
    with connection.cursor() as cursor:
        cursor.execute("SELECT partdefid FROM pg_partitioned_table WHERE partrelid = 'audit_event'::regclass")
        assert cursor.fetchone() == (0,)


def test_a_new_month_gives_the_application_role_no_rights_of_its_own():
    with connection.cursor() as cursor:
        cursor.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO chartkey_app")
        partitions.ensure(months_ahead=7)
        cursor.execute(
            "SELECT p, has_table_privilege('chartkey_app', %s, p) FROM unnest("
            "ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p",
            [month(7)],
        )
        assert not any(allowed for _, allowed in cursor.fetchall())


def test_the_application_role_can_have_months_made():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_function_privilege('chartkey_app', 'audit_make_partitions(integer)', 'EXECUTE')"
        )
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("months", [-1, 25])
def test_months_are_bounded(months):
    with pytest.raises(DatabaseError, match="takes 0 to 24"):
        partitions.ensure(months)


@pytest.mark.django_db(transaction=True, available_apps=["audit"])
def test_events_on_both_sides_of_midnight_are_in_two_months_and_in_one_log(monkeypatch):
    first = (log._now().replace(day=1) + timedelta(days=32)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    times = [first - timedelta(microseconds=1), first, first - timedelta(microseconds=1), first]
    for at in times:  # as several processes record them, whose clocks are not quite the same
        monkeypatch.setattr(log, "_now", lambda at=at: at)
        record(entry())
    monkeypatch.undo()
    tick()

    in_order = AuditEvent.objects.order_by("xid", "id").values_list("recorded_at", flat=True)
    assert list(in_order) == times
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM audit_event GROUP BY 1 ORDER BY 1")
        assert [count for _, count in cursor.fetchall()] == [2, 2]
    assert verify().entries == 4
