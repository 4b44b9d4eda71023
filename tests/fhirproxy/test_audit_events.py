"""FHIR AuditEvent: the patient's own log, by the patient, by an app that may, and by who answers for it."""

import json

import pytest
from django.urls import reverse

from accounts.models import StaffRole
from audit.models import AuditEvent
from consent.vocabulary import Category
from tests import factories
from tests.fhirproxy.conftest import issue

pytestmark = pytest.mark.django_db
SEARCH = "/fhir/r4/AuditEvent"


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def own(alice, client):
    """Alice's browser."""
    client.force_login(alice.user)
    return client


@pytest.fixture
def auditor(client):
    cora = factories.create_user("Cora", is_staff=True)
    StaffRole.objects.create(user=cora, role="compliance")
    client.force_login(cora)
    return client


def token_of(alice, *categories, scope="patient/AuditEvent.rs"):
    return issue(factories.create_consent(alice, categories=categories), scope)


def ids(response):
    return [entry["resource"]["id"] for entry in response.json().get("entry", [])]


def of(patient, **fields):
    events = AuditEvent.objects.filter(patient=f"Patient/{patient.pk}", **fields)
    return [str(pk) for pk in events.order_by("-recorded_at", "-id").values_list("id", flat=True)]


def test_the_patient_finds_all_of_the_own_log_and_the_search_is_in_it(alice, own):
    factories.create_consent(alice)
    before = of(alice)
    found = own.get(SEARCH)

    assert found.status_code == 200
    assert ids(found) == before
    assert "total" not in found.json()
    assert of(alice, type="record:search", resource_types=["AuditEvent"])


def test_an_event_is_read_by_its_id_and_nobody_reads_anothers(alice, own):
    factories.create_consent(alice)
    mallory = factories.mallory()
    factories.create_consent(mallory)
    (event,) = of(alice, type="consent:grant")
    (other,) = of(mallory, type="consent:grant")
    answer = own.get(f"{SEARCH}/{event}")

    assert answer.json()["id"] == event
    assert f"Patient/{factories.fhir_id(alice)}" in answer.text
    for nothing in (other, "made-up", "0" * 32):
        assert own.get(f"{SEARCH}/{nothing}").status_code == 404
    assert ids(own.get(SEARCH, {"patient": f"Patient/{factories.fhir_id(mallory)}"})) == []


def test_pages_hold_every_event_once(alice, own):
    for _ in range(3):
        factories.create_consent(alice)
    before, found, path = of(alice), [], f"{SEARCH}?_count=2&date=lt{'2100'}-01-01"
    while path and len(found) < 50:
        page = own.get(path).json()
        found += [entry["resource"]["id"] for entry in page.get("entry", [])]
        links = {link["relation"]: link["url"] for link in page.get("link", [])}
        path = links.get("next", "").partition("/fhir/r4")[2]
        path = f"/fhir/r4{path}" if path and set(before) - set(found) else ""

    assert [event_id for event_id in found if event_id in before] == before


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("type=consent:grant", {"consent:grant"}),
        ("action=C", {"consent:grant"}),
        ("action=U", {"consent:revoke", "token:revoke"}),
        ("outcome=0&date=ge2001-01-01", {"consent:grant", "consent:revoke"}),
        ("outcome=8", set()),
        ("date=lt2001-01-01", set()),
        ("agent=Client/unknown", set()),
        ("altid=User/unknown", set()),
    ],
)
def test_search_parameters(alice, own, query, kinds):
    from consent import commands

    commands.revoke(factories.create_consent(alice), by=alice.user)
    entries = own.get(f"{SEARCH}?{query}").json().get("entry", [])
    found = {entry["resource"]["subtype"][-1]["code"] for entry in entries}

    assert found <= kinds | {"token:revoke"}
    assert kinds - {"token:revoke"} <= found


@pytest.mark.parametrize(
    "query",
    [
        *("date=yesterday", "action=X", "outcome=1", "_sort=date", "_count=0", "_count=1000"),
        *("subtype=read", "_cursor=made-up", "_count=1&_count=2", "_include=*"),
    ],
)
def test_bad_input_gets_a_clear_400(alice, own, query):
    answer = own.get(f"{SEARCH}?{query}")

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_cursor_of_another_search_is_refused(alice, own):
    for _ in range(3):
        factories.create_consent(alice)
    page = own.get(f"{SEARCH}?_count=1").json()
    cursor = page["link"][0]["url"].partition("_cursor=")[2]

    assert own.get(f"{SEARCH}?_count=1&_cursor={cursor}").status_code == 200
    assert own.get(f"{SEARCH}?_count=1&action=C&_cursor={cursor}").status_code == 400


def test_an_app_reads_what_scope_and_consent_allow(alice, get):
    token = token_of(alice, Category.PRIVACY)
    found = get(token, "AuditEvent")

    assert found.status_code == 200
    assert ids(found) == [i for i in ids(found) if i in of(alice)] != []
    assert get(token, f"AuditEvent/{ids(found)[0]}").status_code == 200
    assert of(alice, role="client", outcome="permit", categories=["privacy"])


@pytest.mark.parametrize(
    ("categories", "scope"),
    [((Category.TEST_RESULTS,), "patient/*.rs"), ((Category.PRIVACY,), "patient/Observation.rs")],
)
def test_an_app_without_scope_or_category_is_refused_and_that_is_in_the_log(alice, get, categories, scope):
    token = token_of(alice, *categories, scope=scope)

    assert get(token, "AuditEvent").status_code == 403
    assert len(of(alice, role="client", outcome="deny")) == 1


def test_A12_an_app_is_not_told_why_something_was_refused(alice, get, client):
    token = token_of(alice, Category.PRIVACY, scope="patient/*.rs")
    assert get(token, "Observation").status_code == 403
    told = get(token, "AuditEvent?outcome=8")
    client.force_login(alice.user)

    assert ids(told)
    assert "consent." not in told.text
    assert "consent." in client.get(f"{SEARCH}?outcome=8").text


def test_nobody_gets_in_unknown(client):
    assert client.get(SEARCH).status_code == 401


@pytest.mark.parametrize("method", ["put", "delete", "patch", "post"])
def test_the_log_is_not_written_from_outside(own, method):
    assert getattr(own, method)(SEARCH).status_code == 405
    assert getattr(own, method)(f"{SEARCH}/1").status_code == 405


def test_an_auditor_searches_for_a_patient_and_that_is_in_the_patients_log(alice, auditor):
    factories.create_consent(alice)
    before = of(alice)
    found = auditor.get(SEARCH, {"patient": f"Patient/{factories.fhir_id(alice)}"})
    looks = AuditEvent.objects.filter(type="audit:read", role="compliance", patient=f"Patient/{alice.pk}")

    assert ids(found) == [*of(alice, type="audit:read"), *before]
    assert looks.count() == 1
    assert auditor.get(f"{SEARCH}/{before[0]}").status_code == 200
    assert looks.count() == 2
    assert auditor.get(SEARCH).status_code == 400
    assert ids(auditor.get(SEARCH, {"patient": "Patient/nobody"})) == []


@pytest.mark.parametrize("asked", ["", "?patient=a/b", "?patient=a&patient=b", "?unknown=x", "?_count=0"])
def test_what_an_auditor_is_refused_stands_in_the_log(alice, auditor, asked):
    assert auditor.get(f"{SEARCH}{asked}").status_code == 400
    event = AuditEvent.objects.order_by("-recorded_at", "-id").first()

    assert (event.type, event.outcome, event.reasons) == ("audit:read", "deny", ["request.400"])
    assert event.role == "compliance"


def test_staff_who_do_not_answer_for_the_log_do_not_search_it(client):
    user = factories.create_user("Sam", is_staff=True)
    StaffRole.objects.create(user=user, role="support")
    client.force_login(user)

    assert client.get(SEARCH).status_code == 403


def test_it_stands_in_the_capability_statement(client):
    served = client.get("/fhir/r4/metadata").json()["rest"][0]["resource"]
    entry = next(resource for resource in served if resource["type"] == "AuditEvent")

    assert {i["code"] for i in entry["interaction"]} == {"read", "search-type"}
    assert json.dumps(entry).count("name") >= 8
    assert reverse("fhirproxy:audit-events") == SEARCH
