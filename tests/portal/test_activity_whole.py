"""I6: what people see of the log is the log: whatever happened, paged through in whatever steps."""

import uuid
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import feed, log
from audit.events import EventType, Outcome, Role
from audit.log import record
from audit.models import AuditEvent
from portal.activity import fold
from tests.audit.cast import entry

pytestmark = pytest.mark.django_db(transaction=True)
CATEGORIES = ("test-results", "medicines", "notes")
HAPPENED = st.tuples(
    st.integers(0, 3),  # milliseconds after the one before: many at the same moment
    st.sampled_from([EventType.RECORD_READ, EventType.RECORD_SEARCH, EventType.RECORD_PREVIEW]),
    st.sampled_from([Outcome.PERMIT, Outcome.DENY, Outcome.FAILED]),
    st.sampled_from([Role.PATIENT, Role.CLIENT, Role.HELPER]),
    st.sampled_from([(), *((c,) for c in CATEGORIES)]),
)
FILTERS = st.builds(
    feed.Filters,
    who=st.sampled_from(["", "others", "apps", "people", "me"]),
    result=st.sampled_from(["", *feed.RESULT]),
    category=st.sampled_from(["", *CATEGORIES]),
)


def write(happened) -> str:
    """All of it about a patient of their own: rows cannot be taken back. Returns the patient."""
    patient, at, now = f"Patient/{uuid.uuid4()}", log._now(), log._now
    try:
        for after, kind, outcome, role, categories in happened:
            at += timedelta(milliseconds=after)
            log._now = lambda at=at: at
            reasons = ("consent.none",) if outcome is Outcome.DENY else ()
            record(
                entry(
                    patient=patient,
                    type=kind,
                    outcome=outcome,
                    role=role,
                    categories=categories,
                    reasons=reasons,
                )
            )
    finally:
        log._now = now
    return patient


def walk(patient, filters, size) -> list[AuditEvent]:
    found, cursor = [], ""
    while True:
        page = feed.page(patient, filters, cursor=cursor, size=size)
        found += page.events
        cursor = page.next_cursor
        if not cursor:
            return found


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENED, max_size=14), st.integers(1, 6))
def test_I6_the_pages_are_the_log_in_its_order_and_each_event_is_in_one_line(happened, size):
    patient = write(happened)
    rows = AuditEvent.objects.filter(patient=patient).order_by("-recorded_at", "-id")

    found = walk(patient, feed.Filters(), size)

    assert [e.id for e in found] == [e.id for e in rows]
    lines = fold(found)
    assert sorted(i for line in lines for i in line.ids) == sorted(str(e.id) for e in rows)
    assert all(line.count >= 1 for line in lines)


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENED, max_size=14), FILTERS, st.integers(1, 6))
def test_I6_a_filter_leaves_out_what_it_says_and_nothing_else(happened, filters, size):
    patient = write(happened)

    found = walk(patient, filters, size)

    def wanted(event):
        return (
            (not filters.who or event.role in feed.WHO[filters.who])
            and (not filters.result or event.outcome in feed.RESULT[filters.result])
            and (not filters.category or filters.category in event.categories)
        )

    rows = AuditEvent.objects.filter(patient=patient).order_by("-recorded_at", "-id")
    assert [e.id for e in found] == [e.id for e in rows if wanted(e)]
