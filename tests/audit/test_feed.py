import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import feed
from audit.events import Outcome
from audit.log import record
from audit.models import AuditEvent
from tests.audit.cast import ACME, ALICE, ALICE_USER, AMIR_USER, MALLORY, entry

pytestmark = pytest.mark.django_db


def everything(patient=ALICE, size=50, **filters):
    """All pages, one after the other."""
    seen, cursor = [], ""
    while True:
        page = feed.page(patient, feed.Filters(**filters), cursor=cursor, size=size)
        seen += [event.id for event in page.events]
        if not (cursor := page.next_cursor):
            return seen


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8])
def test_pages_hold_every_event_once_newest_first(size):
    ids = [record(entry()) for _ in range(7)]
    record(entry(patient=MALLORY))

    assert everything(size=size) == ids[::-1]


def test_events_of_one_moment_are_not_lost_between_pages(monkeypatch):
    moment = datetime.now(UTC)
    monkeypatch.setattr("audit.log._now", lambda: moment)
    ids = [record(entry()) for _ in range(5)]

    assert everything(size=2) == sorted(ids, reverse=True)


def test_new_events_do_not_move_the_pages_behind():
    ids = [record(entry()) for _ in range(4)]
    first = feed.page(ALICE, size=2)
    record(entry())

    assert [e.id for e in feed.page(ALICE, cursor=first.next_cursor, size=2).events] == [ids[1], ids[0]]


def test_filters():
    app = record(entry())
    refused = record(entry(outcome=Outcome.DENY, reasons=("consent.category",)))
    own = record(entry(actor=ALICE_USER, role="patient", client=""))
    helper = record(entry(actor=AMIR_USER, role="helper", client=""))
    clinic = record(entry(actor="User/9", role="clinician", client=""))
    stranger = record(entry(actor="User/9", role="", client=""))

    assert everything(who="apps") == [refused, app]
    assert everything(who="me") == [own]
    assert everything(who="others") == [stranger, clinic, helper, refused, app]
    assert everything(who="people") == [helper]
    assert everything(who="clinic") == [clinic]
    assert everything(result="blocked") == [refused]
    assert everything(who="apps", result="allowed") == [app]


def plan_of(query) -> str:
    """What the planner does where a table is worth an index: the tests' tables are too small for one."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("filters", "most"),
    [({}, 1), ({"who": "apps"}, 2), ({"category": "notes", "client": ACME, "result": "blocked"}, 3)],
)
def test_P11_a_page_walks_the_index_without_offset_count_or_sort(filters, most):
    for _ in range(3):
        record(entry())
    cursor = feed.page(ALICE, size=1).next_cursor
    with CaptureQueriesContext(connection) as queries:
        feed.page(ALICE, feed.Filters(**filters), cursor=cursor, size=1)

    assert 1 <= len(queries) <= most
    for query in [query["sql"] for query in queries]:
        plan = plan_of(query)
        assert "OFFSET" not in query
        assert "COUNT" not in query
        assert "Seq Scan" not in plan
        assert not re.search(r"(?<!Incremental )Sort  \(", plan)
        assert "Index" in plan
        assert "_patient_recorded_at_id_idx" in plan or "client" in filters


def test_what_matches_nothing_looks_through_so_many_rows_and_says_how_far_it_came(monkeypatch):
    monkeypatch.setattr(feed, "FIRST_LOOKED_AT", 1)
    monkeypatch.setattr(feed, "MOST_LOOKED_AT", 3)
    ids = [record(entry(categories=("notes",))), *(record(entry()) for _ in range(7))]
    first = feed.page(ALICE, feed.Filters(category="notes"))

    assert first.events == []
    assert first.looked_back_to is not None
    assert first.next_cursor
    assert everything(category="notes") == ids[:1]


def test_days():
    event_id = record(entry())
    at = AuditEvent.objects.get(id=event_id).recorded_at
    second = timedelta(seconds=1)

    assert everything(since=at, until=at + second) == [event_id]
    assert everything(since=at + second) == everything(until=at) == []


def test_a_cursor_is_of_one_list_and_cannot_be_changed():
    for patient in (ALICE, MALLORY):
        record(entry(patient=patient))
        record(entry(patient=patient))
    cursor = feed.page(ALICE, size=1).next_cursor
    place, _, signature = cursor.partition(".")
    other = feed.page(MALLORY, size=1).next_cursor.partition(".")[0]

    for changed in (f"{place}.{signature[:-1]}x", f"{other}.{signature}", place):
        with pytest.raises(feed.BadCursor):
            feed.page(ALICE, cursor=changed)
    with pytest.raises(feed.BadCursor):
        feed.page(MALLORY, cursor=cursor)


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "é", base64.urlsafe_b64encode(b"2026-01-01T00:00:00 " + b"0" * 32).decode(), "MjAyNi0wMQ"],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor):
    with pytest.raises(feed.BadCursor):
        feed.page(ALICE, cursor=cursor)


@pytest.mark.parametrize("filters", [{"who": "everyone"}, {"result": "nice"}])
def test_a_filter_that_does_not_exist_is_refused(filters):
    with pytest.raises(KeyError):
        feed.page(ALICE, feed.Filters(**filters))
