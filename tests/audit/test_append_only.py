"""A24: nobody changes the log by SQL; the application's role may not even try."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit.log import record
from audit.models import AuditEvent, Checkpoint, LogLeaf
from tests.audit import tampering
from tests.audit.cast import connected_as, entry, tick

TABLES = ["audit_event", "log_leaf", "checkpoint"]
COLUMN = {"audit_event": "actor", "log_leaf": "event_id", "checkpoint": "size"}


pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])  # a quick flush


@pytest.fixture
def sealed(db):
    record(entry())
    tick()


def attempts(table):
    column = COLUMN[table.split("_2")[0]]
    return [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"]


def partition():
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_event")
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("table", TABLES)
def test_a24_the_owner_cannot_change_the_log(table):
    for sql in attempts(table):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as c:
            c.execute(sql)

    assert [model.objects.count() for model in (AuditEvent, LogLeaf, Checkpoint)] == [1, 1, 1]


@pytest.mark.usefixtures("sealed")
def test_a24_the_owner_cannot_change_a_partition():
    for sql in attempts(partition()):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic(), connection.cursor() as c:
            c.execute(sql)


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("table", TABLES)
def test_a24_a_superuser_is_stopped_by_the_trigger(table):
    with connected_as("postgres") as superuser:
        for sql in attempts(table):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
                superuser.execute(sql)


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("table", [*TABLES, "partition"])
def test_a24_the_application_role_gets_permission_denied(table):
    with connected_as("chartkey_app") as app:
        for sql in attempts(partition() if table == "partition" else table):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                app.execute(sql)


@pytest.mark.usefixtures("sealed")
def test_the_application_role_reads_and_adds():
    tampering.tampered = True
    with connected_as("chartkey_app") as app:
        assert app.execute("SELECT count(*) FROM audit_event, log_leaf, checkpoint").fetchone() == (1,)
        copied = app.execute("INSERT INTO log_leaf SELECT seq + 1, event_id, xid, leaf FROM log_leaf")

        assert copied.rowcount == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "second"])
def test_a_transactional_test_starts_with_an_empty_log(time, settings):
    assert not AuditEvent.objects.exists()
    record(entry())
    assert tick() == 1
    assert settings.AUDIT_ANCHOR_FILE.read_text().split("\n")[1] == "1"
