"""The quick way to look at many rows says yes to what the application wrote, and never to anything else."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit import chunks, chunks_beside, log, verification
from audit.keyring import mac_keys
from audit.log import EPOCH, record
from audit.tree_check import Tampered
from tests.audit.cast import entry, tamper, tick

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])
FULL = {
    "on_behalf_of": "User/0197-alice",
    "resource_types": ("Condition", "Observation"),
    "categories": ("conditions", "test-results"),
    "reasons": ("consent.none", "scope.not-granted"),
    "count": 0,
    "target": 'Observation/"odd",\\{1}',
    "correlation_id": "0197-request",
    "detail": {"policy": "0123456789abcdef"},
}


def all_chunks():
    with transaction.atomic():
        next_xid, _, snapshot = verification._snapshot()
        reader = chunks.Reader(next_xid, mac_keys())
        return list(reader.chunks(snapshot, 0, 2**62))


@pytest.mark.parametrize("microseconds", [0, 1, 120_000, 123_450])
def test_what_the_application_wrote_is_right(monkeypatch, microseconds):
    at = EPOCH + timedelta(days=365 * 57) + timedelta(microseconds=microseconds)
    at = at.replace(year=log._now().year, month=log._now().month)
    for given_fields in ({}, FULL):
        with monkeypatch.context() as patch:
            patch.setattr(log, "_now", lambda: at)
            record(entry(**given_fields))
    tick()

    (chunk,) = all_chunks()

    assert chunk.is_right
    assert len(chunk.leaves) == 2


def test_chunks_go_on_where_the_one_before_ended(monkeypatch):
    monkeypatch.setattr(chunks, "SIZE", 2)
    for _ in range(5):
        record(entry())
    tick()

    found = all_chunks()

    assert [len(chunk.leaves) for chunk in found] == [2, 2, 1]
    assert all(chunk.is_right for chunk in found)
    assert [chunk.start for chunk in found] == [0, 2, 4]


TEXTS = st.sampled_from(["", "x", "User/0197-alice", "User/0197-alice\x1f", "\x1f", "a,b", '"', "{", "NULL"])
ARRAYS = st.lists(TEXTS | st.none(), max_size=2)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    column=st.sampled_from(
        ["actor", "role", "client", "target", "purpose", "reasons", "categories", "count"]
    ),
    text=TEXTS,
    array=ARRAYS,
    number=st.none() | st.integers(0, 20),
)
def test_no_row_that_was_changed_is_taken_for_right(column, text, array, number):
    """Whatever stands in a column: where it is not what the payload says, it is found."""
    if not all_chunks():
        record(entry(**FULL))
        tick()
    value = array if column in ("reasons", "categories") else number if column == "count" else text
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM audit_event")
        ((before,),) = cursor.fetchall()
    tamper(f"UPDATE audit_event SET {column} = %s", value)
    try:
        if value == before:
            verification.verify()
        else:
            assert not all_chunks()[0].is_right
            with pytest.raises(Tampered):
                verification.verify()
    finally:
        tamper(f"UPDATE audit_event SET {column} = %s", before)
    assert all_chunks()[0].is_right


@pytest.fixture
def two_processes(monkeypatch):
    """For a log of ten, two entries at a time."""
    monkeypatch.setattr(verification, "LONG", 0)
    monkeypatch.setattr(chunks_beside, "STRETCH", 2)
    for _ in range(10):
        record(entry())
        tick()


def test_processes_beside_find_what_one_finds(two_processes):
    record(entry())

    assert verification.verify(processes=2) == verification.verify()
    assert verification.verify(start=3, stop=9, processes=2) == verification.verify(start=3, stop=9)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_event SET actor = 'User/x' WHERE id = (SELECT event_id FROM log_leaf WHERE seq = 5)",
        "DELETE FROM audit_event WHERE id = (SELECT event_id FROM log_leaf WHERE seq = 4)",
        "DELETE FROM log_leaf WHERE seq = 3",
        "DELETE FROM log_leaf WHERE seq IN (4, 5)",  # all that one of them looks at
        "DELETE FROM log_leaf WHERE seq IN (5, 6, 7)",
        "DELETE FROM log_leaf WHERE seq = 9",
        "INSERT INTO log_leaf SELECT 10, event_id, xid, leaf FROM log_leaf WHERE seq = 9",
        "UPDATE checkpoint SET root = sha256(root) WHERE size = 7",
    ],
)
def test_processes_beside_name_the_row_that_one_names(two_processes, sql):
    tamper(sql)

    with pytest.raises(Tampered) as alone:
        verification.verify()
    with pytest.raises(Tampered) as together:
        verification.verify(processes=2)

    assert str(together.value) == str(alone.value)
