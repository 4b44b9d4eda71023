"""Conditional reads, and what was kept from before: nothing comes around the check (A28)."""

import pytest

from audit.models import AuditEvent
from consent.vocabulary import Category
from demo.population import CANARY
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.alone import (
    hidden,
    last_event,
    narrowed,
    world_of_alice,
)
from tests.fhirproxy.proof.app import Case
from tests.fhirproxy.proof.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> World:
    return world_of_alice()


def test_a_304_comes_after_the_decision_and_its_row(alice):
    one = f"Observation/{alice.alice}-observation"
    first = alice.app.get(one)
    since = {"if-modified-since": first.headers["last-modified"]}
    for headers in (
        {"if-none-match": first.headers["etag"]},
        since,
        {"if-none-match": f'W/"9", {first.headers["etag"]}'},
    ):
        before = AuditEvent.objects.count()
        known = alice.app.get(one, **headers)
        assert (known.status, known.body) == (304, b"")
        assert AuditEvent.objects.count() == before + 1
        assert last_event().outcome == "permit"
    assert alice.app.get(one, **{"if-none-match": 'W/"9"'}).status == 200
    assert alice.app.get(one, **{"if-none-match": 'W/"9"', **since}).status == 200  # RFC 9110, 13.1.3


@pytest.mark.parametrize("header", ["if-none-match", "if-modified-since"])
@pytest.mark.parametrize("value", ['W/"1"', "*", "Fri, 01 Jan 2100 00:00:00 GMT", "x", ""])
def test_a_conditional_read_of_what_is_hidden_is_as_one_of_what_is_not_there(alice, header, value):
    theirs = records.resource_of("Observation", alice.mallory, CANARY)
    records.keep([theirs])
    nobody = alice.app.get(f"Observation/{alice.alice}-nobody", **{header: value})

    assert nobody.status == 404
    for one in (hidden(alice, "Observation", "private"), f"Observation/{theirs['id']}"):
        assert alice.app.get(one, **{header: value}) == nobody


def test_what_was_kept_from_before_a_narrower_consent_is_good_for_nothing(alice):
    """A28: a narrower consent closes ETags and versions as well."""
    paths = [f"Condition/{alice.alice}-condition", f"Patient/{alice.alice}-patient"]
    kept = {path: alice.app.get(path).headers["etag"] for path in paths}
    narrowed(alice, [Category.TEST_RESULTS, Category.DEMOGRAPHICS])

    condition, patient = (alice.app.get(path, **{"if-none-match": kept[path]}) for path in paths)
    assert (condition.status, condition.headers.get("etag")) == (403, None)
    # Without contact details it is another resource than the one that the app has.
    assert (patient.status, patient.headers.get("etag")) == (200, None)
    assert alice.app.get(f"{paths[0]}/_history/1").status == 403


def test_what_is_redacted_has_no_etag_on_any_way(alice):
    narrowed(alice, [Category.DEMOGRAPHICS])
    one = f"Patient/{alice.alice}-patient"

    for answer in (
        alice.app.get(one),
        alice.app.get(f"{one}/_history/1"),
        alice.app.get(f"{one}?_elements=name"),
    ):
        assert (answer.status, answer.headers.get("etag")) == (200, None)
        assert "last-modified" not in answer.headers
    assert b'"etag"' not in alice.app.get(f"{one}/_history").body
    assert b'"etag"' not in alice.app.batch([Case(one, 200)]).body
    assert b'"address"' not in alice.app.get(f"{one}?_elements=address").body


def test_what_is_whole_keeps_its_bytes_though_contact_details_are_not_shared(alice):
    one = f"Observation/{alice.alice}-observation"
    whole = alice.app.get(one)
    narrowed(alice, [Category.TEST_RESULTS, Category.DEMOGRAPHICS])

    assert alice.app.get(one) == whole
    assert b"SUBSETTED" not in whole.body
