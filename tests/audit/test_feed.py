import base64
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit import feed
from audit.events import Outcome
from audit.log import record
from tests.audit.cast import ALICE, ALICE_USER, AMIR_USER, MALLORY, entry

pytestmark = pytest.mark.django_db


def everything(patient=ALICE, **options):
    """All pages, one after the other."""
    seen, cursor = [], ""
    while True:
        page = feed.page(patient, cursor=cursor, **options)
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


def test_a_page_is_one_query_without_offset_or_count():
    for _ in range(3):
        record(entry())
    cursor = feed.page(ALICE, size=1).next_cursor
    with CaptureQueriesContext(connection) as queries:
        feed.page(ALICE, cursor=cursor, who="apps", size=1)

    assert len(queries) == 1
    assert "OFFSET" not in queries[0]["sql"]
    assert "COUNT" not in queries[0]["sql"]


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
        feed.page(ALICE, **filters)
