import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
import structlog
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from audit.events import REQUIRED, EventType, Outcome
from audit.log import (
    COLUMNS,
    ENTRY_FIELDS,
    EPOCH,
    Entry,
    InvalidEntry,
    canonical,
    record,
    record_each,
    said,
    uuid7,
)
from audit.models import AuditEvent
from tests.audit.cast import ACME, ALICE, entry


@pytest.mark.django_db
def test_record_keeps_every_field():
    given_entry = entry(
        on_behalf_of="User/1",
        reasons=("consent.category",),
        outcome=Outcome.DENY,
        target="Observation/1/_history/2",
        correlation_id="request-0001",
        detail={"policy": "abc123", "held": 2, "partial": True},
    )

    event_id = record(given_entry)

    event = AuditEvent.objects.get(id=event_id)
    kept = {name: getattr(event, name) for name in ENTRY_FIELDS}
    assert kept == {
        name: list(value) if isinstance(value := getattr(given_entry, name), tuple) else value
        for name in ENTRY_FIELDS
    }
    assert json.loads(event.payload)["detail"] == {"policy": "abc123", "held": 2, "partial": True}


@pytest.mark.django_db
def test_record_hashes_the_payload_and_marks_it_as_ours(settings):
    event = AuditEvent.objects.get(id=record(entry()))

    assert bytes(event.leaf) == hashlib.sha256(b"\x00" + event.payload.encode()).digest()
    assert bytes(event.writer_mac) == hmac.digest(settings.AUDIT_MAC_KEY, event.leaf, "sha256")
    said = json.loads(event.payload)
    assert said["id"] == str(event.id)
    assert datetime.fromisoformat(said["recorded_at"]) == event.recorded_at
    assert list(said) == sorted(said)


@pytest.mark.django_db
def test_record_is_one_statement():
    with CaptureQueriesContext(
        connection,
    ) as queries:
        record(entry())

    assert len(queries) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("number", "recorded"), [(1, True), (2, False)])
def test_record_only_if_the_condition_holds(number, recorded):
    event_id = record(entry(), only_if=("%s = 1 AND 'a%%' LIKE 'a%%'", [number]))

    assert (event_id is not None) is recorded
    assert AuditEvent.objects.count() == int(recorded)


@pytest.mark.django_db
def test_record_goes_with_the_callers_transaction():
    with transaction.atomic():
        record(entry())
        transaction.set_rollback(True)

    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
def test_record_takes_the_requests_correlation_id():
    with structlog.contextvars.bound_contextvars(correlation_id="request-0002"):
        event_id = record(entry())

    assert AuditEvent.objects.get(id=event_id).correlation_id == "request-0002"


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": ""},
        {"actor": "Alice Moreno"},
        {"patient": "Alice"},
        {"target": "Observation/a b"},
        {"interaction": "search type"},
        {"purpose": "to show your sugar levels"},
        {"categories": ("test results",)},
        {"reasons": ("",)},
        {"resource_types": ("Observation",) * 201},
        {"role": "boss"},
        {"correlation_id": "a\nb"},
        {"detail": {"note": "she said that"}},
        {"detail": {"note": 1.5}},
        {"detail": {"free text": "x"}},
        {"detail": {f"d{n}": "x" for n in range(17)}},
        {"outcome": Outcome.DENY},
    ],
    ids=str,
)
def test_record_refuses_free_text_and_what_says_too_little(changes):
    with pytest.raises(InvalidEntry) as refusal:
        record(entry(**changes))

    assert not any(str(value) in str(refusal.value) for value in changes.values() if value != "")


@pytest.mark.parametrize("event_type", EventType)
def test_required_fields_are_fields_and_are_asked_for(event_type):
    assert REQUIRED[event_type] <= set(ENTRY_FIELDS)
    whole = entry(type=event_type, target="Thing/1", reasons=("x",))
    for name in REQUIRED[event_type]:
        empty = () if name == "reasons" else None if name == "consent_number" else ""
        with pytest.raises(InvalidEntry, match=name):
            record(replace(whole, **{name: empty}))


def test_requirements_are_total():
    assert set(REQUIRED) == set(EventType)


def test_an_entry_is_short_to_write():
    assert Entry(type=EventType.SESSION_START, outcome=Outcome.DONE, actor="User/1").patient == ""
    assert entry().patient == ALICE
    assert entry().client == ACME


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1)), st.integers(1, 10**9))
def test_ids_are_version_7_and_sort_by_time(moment, later):
    moment = moment.replace(tzinfo=UTC)
    first, second = uuid7(moment), uuid7(moment + timedelta(microseconds=later))

    assert first < second
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first.int >> 80 == (moment - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.django_db(transaction=True)
def test_record_each_keeps_those_whose_condition_holds():
    held = ("%s::int > %s::int", [2, 1])
    entries = [
        (entry(detail={"policy": "abc", "held": 0}, count=0, reasons=("consent.category",)), held),
        (entry(), ("%s::int > %s::int", [1, 2])),
        (entry(consent_number=3), None),
    ]

    kept = record_each(entries)

    assert [one is not None for one in kept] == [True, False, True]
    for event_id, (given_entry, _) in zip(kept, entries, strict=True):
        if event_id:
            event = AuditEvent.objects.get(id=event_id)
            assert rfc8785.dumps(said(vars_of(event) | json.loads(event.payload))) == event.payload.encode()
            assert bytes(event.leaf) == hashlib.sha256(b"\x00" + event.payload.encode()).digest()
            for name in ENTRY_FIELDS:
                value = getattr(given_entry, name)
                assert getattr(event, name) == (list(value) if isinstance(value, tuple) else value)


def vars_of(event: AuditEvent) -> dict:
    return {name: getattr(event, name) for name in COLUMNS}


NAMES = st.from_regex(r"[a-zA-Z_]{1,6}", fullmatch=True)
LEAVES = (
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans()
)


@given(st.dictionaries(NAMES, LEAVES | st.lists(LEAVES) | st.dictionaries(NAMES, LEAVES)))
def test_the_payload_is_canonical_json(content):
    assert canonical(content).encode() == rfc8785.dumps(content)
