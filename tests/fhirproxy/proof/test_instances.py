"""Versions, attachments, batches and what is contained pass the same check (threats.md, at its end)."""

import json

import pytest

from audit.models import AuditEvent
from consent.vocabulary import Category
from demo.population import CANARY
from fhirproxy.upstream import FHIR_JSON
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.alone import (
    SECRET,
    SUD,
    hidden,
    last_event,
    plain,
    world_of_alice,
)
from tests.fhirproxy.proof.app import App, Case
from tests.fhirproxy.proof.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> World:
    return world_of_alice()


def test_contained_history_vread_everything_and_attachments_pass_the_same_check(alice):
    secret = records.resource_of("Condition", alice.alice, SECRET) | {"id": "inside", "meta": SUD}
    plain(alice, "Observation", "contains", contained=[secret])
    changed = plain(alice, "Condition", "changed")
    hidden(alice, "Condition", "changed")
    binary = plain(alice, "Binary", "letter", data="SElEREVOV09SRA==")
    attached = [{"attachment": {"url": binary, "title": SECRET}}]
    letter = hidden(alice, "DocumentReference", "letter", content=attached)

    for path in (
        *(f"Observation/{alice.alice}-contains", "Observation", "Condition", "DocumentReference", letter),
        *(changed, f"{changed}/_history", f"{changed}/_history/1", f"{changed}/_history/2", binary),
        f"Patient/{alice.alice}-patient/$everything",
    ):
        for accept in (FHIR_JSON, "*/*"):
            answer = alice.app.get(path, accept=accept)
            assert SECRET.encode() not in answer.body, path
            assert b"SElEREVOV09SRA" not in answer.body, path
            assert answer.status in (200, 404), path
            if path.startswith(changed):
                assert answer == alice.app.get(path.replace("-changed", "-nobody")), path
    assert alice.app.get("$graphql?query={Patient{id}}").status == 404


def test_a_version_that_was_private_stays_so_though_the_next_one_is_not(alice):
    one = hidden(alice, "Condition", "was-private")
    plain(alice, "Condition", "was-private")
    history = alice.app.get(f"{one}/_history")

    assert alice.app.get(one).status == 200
    assert [r["meta"]["versionId"] for r in history.resources] == ["2"]
    assert SECRET.encode() not in history.body
    assert alice.app.get(f"{one}/_history/1") == alice.app.get(f"{one}-nobody/_history/1")


def test_each_entry_of_a_batch_is_decided_on_and_a_transaction_is_all_or_nothing(alice):
    private = Case(hidden(alice, "Observation", "private"), 404)
    mine = Case(f"Observation/{alice.alice}-observation", 200)
    batch = alice.app.batch([mine, private, Case("AuditEvent/1", 404), mine])
    whole = alice.app.batch([mine, private], "transaction")

    assert [e["response"]["status"][:3] for e in batch.entries] == ["200", "404", "404", "200"]
    assert SECRET.encode() not in batch.body
    assert (whole.status, b"plain" in whole.body) == (404, False)
    outcomes = AuditEvent.objects.order_by("recorded_at", "id").values_list("outcome", flat=True)
    assert list(outcomes)[-6:] == ["permit", "deny", "deny", "permit", "permit", "deny"]


@pytest.mark.parametrize(
    "url", ["//[", "http://[::1", "//\u2100.example/", "Observation/1#x", "//evil.example/Observation/1"]
)
def test_an_entry_that_is_no_address_is_refused_for_itself(alice, url):
    mine = Case(f"Observation/{alice.alice}-observation", 200)
    answer = alice.app.batch([Case(url, 400), mine])

    assert answer.status == 200, answer
    assert [e["response"]["status"][:3] for e in answer.entries] == ["400", "200"]


@pytest.mark.parametrize("inherits", ["document", "encounter"])
def test_an_attachment_takes_the_labels_of_its_document_and_encounter(alice, inherits):
    visit = hidden(alice, "Encounter", "visit") if inherits == "encounter" else ""
    binary = plain(alice, "Binary", "letter")
    changes: dict[str, object] = {"content": [{"attachment": {"url": binary}}]}
    changes |= {"context": {"encounter": [{"reference": visit}]}} if visit else {"meta": SUD}
    document = plain(alice, "DocumentReference", "letter", **changes)

    assert alice.app.get(document).status == 404
    for accept in (FHIR_JSON, "*/*"):
        assert alice.app.get(binary, accept=accept) == alice.app.get(f"{binary}-nobody", accept=accept)


def test_an_attachment_needs_the_category_of_its_document(alice):
    binary = f"Binary/{alice.alice}-binary"
    narrow = App(issue(factories.create_consent(alice.patient, categories=[Category.TEST_RESULTS])))

    assert alice.app.get(binary).status == 200
    assert narrow.get(binary).status == 404


def test_a_binary_is_as_private_as_it_says_itself_though_its_document_is_not(alice):
    binary = hidden(alice, "Binary", "marked")
    document = plain(alice, "DocumentReference", "marked", content=[{"attachment": {"url": binary}}])

    assert alice.app.get(document).status == 200
    for accept in (FHIR_JSON, "*/*"):
        assert alice.app.get(binary, accept=accept) == alice.app.get(f"{binary}-nobody", accept=accept)


def test_a_binary_that_says_whose_it_is_is_not_anybody_elses(alice):
    """Binary.securityContext (FHIR R4): its rules are those of what it names."""
    stranger = {"reference": f"Patient/{alice.mallory}-patient"}
    binary = plain(alice, "Binary", "context", securityContext=stranger)
    plain(alice, "DocumentReference", "context", content=[{"attachment": {"url": binary}}])

    assert alice.app.get(binary).status == 404


def test_a_binary_of_more_documents_than_a_page_holds_is_held_against_all_of_them(alice):
    binary = plain(alice, "Binary", "busy")
    content = [{"attachment": {"url": binary}}]
    for n in range(60):
        plain(alice, "DocumentReference", f"busy-{n:02}", content=content)
    theirs = records.resource_of("DocumentReference", alice.mallory, CANARY)
    records.keep([theirs | {"id": f"zz-{alice.mallory}", "content": content}])

    assert alice.app.get(binary).status == 404


@pytest.mark.parametrize("url", ["http://elsewhere.example/Observation/1", "//[", "Observation#1"])
def test_an_entry_that_is_refused_for_its_address_stands_in_the_log(alice, url):
    entry = {"request": {"method": "GET", "url": url}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    answer = alice.app.send(Case("", 0, "POST", json.dumps(bundle), FHIR_JSON))

    assert answer.status == 200
    assert (last_event().outcome, last_event().reasons) == ("deny", ["request.400"])


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_batch_with_a_token_that_has_ended_is_told_so_as_every_other_request_is(alice, kind):
    ended = App(issue(alice.consent, minutes=-1))
    bundle = {"resourceType": "Bundle", "type": kind, "entry": []}
    answer = ended.send(Case("", 0, "POST", json.dumps(bundle), FHIR_JSON))

    assert answer.status == 401
    assert "invalid_token" in answer.headers["www-authenticate"]
    assert (last_event().outcome, last_event().reasons) == ("deny", ["token.expired"])


@pytest.mark.parametrize(
    "twice", ["_count=1&_count=2", "_elements=id&_elements=code", "_sort=date&_sort=_id"]
)
def test_what_can_hold_only_once_is_not_chosen_for_the_caller(alice, twice):
    assert alice.app.get(f"Observation?{twice}").status == 400
    assert alice.app.get(f"Patient/{alice.alice}-patient/$everything?_since=2020&_since=2021").status == 400
