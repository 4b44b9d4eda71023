"""The gate over HTTP, on the embedded store: who gets what, and what the log says of it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from consent import commands
from consent.vocabulary import ACT_CODE, Category
from tests import factories
from tests.fhirproxy.conftest import issue

pytestmark = pytest.mark.django_db

SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
LABS = "Observation?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


def ids(response) -> set[str]:
    assert response.status_code == 200, response.content
    return {entry["resource"]["id"] for entry in response.json().get("entry", [])}


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-recorded_at").first()


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def token(alice):
    return issue(factories.create_consent(alice))


def test_an_app_reads_what_it_was_allowed(alice, token, get):
    response = get(token, LABS)

    assert ids(response) == {f"{factories.fhir_id(alice)}-ldl"}
    assert response["Content-Type"] == "application/fhir+json"
    assert "total" not in response.json()
    event = last_event()
    assert (event.type, event.outcome, event.count) == ("record:search", "permit", 1)
    assert event.patient == f"Patient/{alice.pk}"
    assert event.categories == [Category.TEST_RESULTS]


def test_a_resource_keeps_the_bytes_of_the_ehr(alice, token, get):
    weight = factories.lab_result(alice, "exact", valueQuantity={"value": 1.50, "unit": "g"})
    factories.load_records(weight)

    assert get(token, "Observation/exact").json()["valueQuantity"]["value"] == 1.5


def test_a_private_resource_does_not_come(alice, token, get):
    factories.load_records(factories.lab_result(alice, "private", meta=SUD))

    assert "private" not in ids(get(token, LABS))
    assert last_event().payload.count('"withheld":1')
    hidden, missing = get(token, "Observation/private"), get(token, "Observation/no-such")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
    assert hidden.status_code == 404


def test_a_private_resource_comes_once_it_was_named(alice, get):
    factories.load_records(factories.lab_result(alice, "private", meta=SUD))
    token = issue(factories.create_consent(alice, labels=["SUD"]))

    assert "private" in ids(get(token, LABS))


def test_A9_another_patients_record_is_as_if_it_did_not_exist(alice, token, get):
    mallory = factories.mallory()
    theirs = factories.fhir_id(mallory)

    assert ids(get(token, f"Observation?patient={theirs}")) == set()
    assert ids(get(token, f"Observation?subject=Patient/{theirs}")) == set()
    assert ids(get(token, f"Observation?patient=Patient/{theirs}&_id={theirs}-ldl")) == set()
    assert ids(get(token, f"Observation?_id={theirs}-ldl")) == set()
    for path in (f"Observation/{theirs}-ldl", f"Patient/{theirs}"):
        refused, missing = get(token, path), get(token, f"{path}-nobody")
        assert (refused.status_code, refused.content) == (404, missing.content)


def test_A9_a_refusal_of_another_patients_record_is_logged(alice, token, get):
    mallory = factories.mallory()
    get(token, f"Observation/{factories.fhir_id(mallory)}-ldl")

    event = last_event()
    assert (event.outcome, event.reasons) == ("deny", ["record.not-yours"])
    assert event.patient == f"Patient/{alice.pk}"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Observation?_include=Observation:subject", 400),
        ("Observation?subject.name=Alice", 400),
        ("Observation?_has:Provenance:target:agent=x", 400),
        ("Observation?code:not=x", 400),
        ("Observation?_summary=count", 400),
        ("Observation?_count=0", 400),
        ("Observation?_count=100000", 400),
        ("Observation?_count=²", 400),
        ("Observation?_cursor=made-up", 400),
        ("Observation?_cursor=a&patient=b", 400),
        ("Practitioner", 403),
        ("Practitioner?name=Osei", 403),
        ("Account", 404),
        ("Binary/1", 404),
        ("Nonsense/1", 404),
        ("Observation/1/_history", 404),
        ("Patient/1/$everything", 404),
        ("Observation/../Patient/1", 404),
        ("Observation/..", 404),
        ("", 404),
        ("$export", 404),
    ],
)
def test_A11_what_is_not_on_the_list_is_refused_and_not_ignored(token, get, path, status):
    response = get(token, path)

    assert response.status_code == status, response.content
    assert response.json()["resourceType"] == "OperationOutcome"
    assert last_event().outcome == "deny"


@pytest.mark.parametrize(("method", "status"), [("post", 405), ("put", 403), ("patch", 405), ("delete", 405)])
def test_A10_nothing_can_be_changed_by_who_may_read(client, token, method, status):
    answer = getattr(client, method)("/fhir/r4/Observation/1", headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == status


def test_search_by_post_is_the_same_search(alice, token, client):
    answer = client.post(
        "/fhir/r4/Observation/_search",
        "category=laboratory",
        content_type="application/x-www-form-urlencoded",
        headers={"authorization": f"Bearer {token}"},
    )

    assert ids(answer) == {f"{factories.fhir_id(alice)}-ldl"}


def test_a_scope_narrows_what_the_consent_allows(alice, get):
    token = issue(factories.create_consent(alice), "patient/Patient.rs")
    response = get(token, LABS)

    assert response.status_code == 403
    assert response.json()["issue"][0]["diagnostics"] == "scope-not-granted"
    assert last_event().reasons == ["scope.not-granted"]


def test_a_consent_narrows_what_the_scope_allows(alice, get):
    token = issue(factories.create_consent(alice, categories=[Category.VITAL_SIGNS]))

    assert ids(get(token, "Observation")) == set()  # vital signs she has none
    assert get(token, f"Observation/{factories.fhir_id(alice)}-ldl").status_code == 404
    assert get(token, LABS).status_code == 403
    assert get(token, "AllergyIntolerance").status_code == 403
    assert last_event().reasons == ["consent.category"]


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer nobody-gave-this"])
def test_A7_without_a_living_token_nothing_is_said(client, header):
    answer = client.get("/fhir/r4/Patient", headers={"authorization": header})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_after_a_stop_the_next_call_is_refused_and_stands_in_the_log(alice, get):
    consent = factories.create_consent(alice)
    token = issue(consent)
    assert get(token, LABS).status_code == 200
    commands.revoke(consent, by=alice.user)

    assert get(token, LABS).status_code == 401
    event = last_event()
    assert (event.outcome, event.reasons) == ("deny", ["consent.revoked"])
    assert event.patient == f"Patient/{alice.pk}"


def test_a_token_outlived_by_its_consent_version_is_refused_at_release(alice, token, get, monkeypatch):
    """What F13 asks for: the consent ends after the EHR answered, and nothing leaves."""
    from fhirproxy import upstream

    send = upstream.Embedded.send

    def answer_then_revoke(self, request):
        answer = send(self, request)
        commands.revoke(alice.consents.get(), by=alice.user)
        return answer

    monkeypatch.setattr(upstream.Embedded, "send", answer_then_revoke)
    response = get(token, LABS)

    assert response.status_code == 403
    assert b"LDL" not in response.content
    assert not AuditEvent.objects.filter(outcome="permit", type="record:search").exists()


def test_a_suspended_client_is_refused_at_once(alice, token, get):
    client = alice.consents.get().client
    client.status = "suspended"
    client.save()

    assert get(token, LABS).status_code == 403
    assert last_event().reasons == ["app.suspended"]


def test_pages_are_our_own_and_bound_to_who_asked(alice, token, get):
    labs = [factories.lab_result(alice, f"page-{n}") for n in range(5)]
    factories.load_records(*labs)
    first = get(token, f"{LABS}&_count=2")
    link = first.json()["link"][0]["url"]
    seen = ids(first)
    while link:
        page = get(token, link.split("/fhir/r4/")[1])
        assert not seen & ids(page)
        seen |= ids(page)
        link = next((x["url"] for x in page.json().get("link", [])), "")
    assert len(seen) == 6

    other = issue(factories.create_consent(factories.mallory()))
    stolen = get(other, first.json()["link"][0]["url"].split("/fhir/r4/")[1])
    assert stolen.status_code == 400


def pages(get, token, path) -> list[list[str]]:
    """The ids on each page of a search, to its end."""
    found, link = [], path
    while link:
        answer = get(token, link)
        found.append([e["resource"]["id"] for e in answer.json().get("entry", [])])
        following = next((x["url"] for x in answer.json().get("link", [])), "")
        link = following.split("/fhir/r4/")[1] if following else ""
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("sort", ["", "&_sort=_id", "&_sort=-date"])
def test_A9_what_is_hidden_cannot_be_counted_by_paging(alice, token, get, count, sort):
    """The pages are those of a record without the hidden rows: as many, as full, and in that order."""
    shown = [factories.lab_result(alice, f"n-{n}") for n in range(0, 6, 2)]
    hidden = [factories.lab_result(alice, f"n-{n}", meta=SUD) for n in range(1, 30, 2)]
    path = f"{LABS}&_count={count}{sort}"
    factories.load_records(*shown)
    without = pages(get, token, path)
    factories.load_records(*hidden)

    assert pages(get, token, path) == without
    assert [len(page) for page in without[:-1]] == [count] * (len(without) - 1)


def test_A9_a_search_for_what_is_hidden_is_like_one_for_what_is_not_there(alice, token, get):
    code = {"coding": [{"system": "http://loinc.org", "code": "20447-9"}]}
    viral = [factories.lab_result(alice, f"viral-{n}", code=code) for n in range(5)]
    factories.load_records(*viral)

    there = get(token, "Observation?code=http://loinc.org|20447-9&_count=1")
    nowhere = get(token, "Observation?code=http://loinc.org|99999-9&_count=1")
    assert there.content == nowhere.content


def test_A9_a_page_link_does_not_say_what_it_passed(alice, token, get):
    labs = [factories.lab_result(alice, f"page-{n}") for n in range(4)]
    factories.load_records(*labs)
    cursor = get(token, f"{LABS}&_count=2").json()["link"][0]["url"].split("_cursor=")[1]
    import base64

    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert b"page-" not in raw
    assert factories.fhir_id(alice).encode() not in raw


def test_A12_a_report_is_as_private_as_its_results(alice, token, get):
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Panel"},
        "category": factories.lab_result(alice)["category"],
        "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
    }
    lab = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}
    report["category"] = [{"coding": [lab]}]
    factories.load_records(
        factories.lab_result(alice, "private", meta=SUD),
        factories.lab_result(alice, "open"),
        report | {"id": "tells", "result": [{"reference": "Observation/private"}]},
        report | {"id": "plain", "result": [{"reference": "Observation/open"}]},
        factories.lab_result(alice, "panel", hasMember=[{"reference": "Observation/private"}]),
    )

    assert ids(get(token, "DiagnosticReport")) == {"plain"}
    assert get(token, "DiagnosticReport/tells").status_code == 404
    assert get(token, "Observation/panel").status_code == 404
    assert "panel" not in ids(get(token, LABS))


def test_A18_the_patient_of_another_server_is_somebody_else(alice, token, get):
    own = factories.fhir_id(alice)
    there = {"reference": f"https://evil.example/fhir/Patient/{own}"}
    here = {"reference": f"http://testserver/fhir/r4/Patient/{own}"}
    factories.load_records(
        factories.lab_result(alice, "there", subject=there),
        factories.lab_result(alice, "here", subject=here),
    )

    assert get(token, "Observation/there").status_code == 404
    assert get(token, "Observation/here").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_search_that_is_not_posted_as_a_form_is_refused(client, token, kind):
    answer = client.post(
        "/fhir/r4/Observation/_search",
        '{"category":"x"}',
        content_type=kind,
        headers={"authorization": f"Bearer {token}"},
    )

    assert answer.status_code == 415


def test_P3_a_read_costs_two_statements_besides_the_ehr(alice, token, get, monkeypatch):
    from fhirproxy import upstream

    path = f"Observation/{factories.fhir_id(alice)}-ldl"
    get(token, path)  # the source is known from here on
    body = get(token, path).content
    answer = upstream.FhirResponse(200, {}, body)
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, request: answer)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert get(token, path).status_code == 200

    assert len(queries) == 2, [q["sql"][:80] for q in queries]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"resourceType":"Patient","id":"other"}',
        b'{"resourceType":"Observation","id":"x"}',
        b"[" * 100_000,
    ],
)
def test_F10_garbage_from_an_ehr_is_never_passed_on(alice, token, get, monkeypatch, body):
    from fhirproxy import upstream

    answer = upstream.FhirResponse(200, {}, body)
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, request: answer)
    response = get(token, "Observation/whatever")

    assert response.status_code == 502
    assert (last_event().outcome, last_event().reasons) == ("failed", ["ehr.no-answer"])
    assert response.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_metadata_can_only_be_read(method):
    answer = getattr(Client(enforce_csrf_checks=True), method)("/fhir/r4/metadata")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/fhir+json")
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_metadata_names_what_is_served_and_where_to_sign_in(client):
    statement = client.get("/fhir/r4/metadata").json()
    rest = statement["rest"][0]

    assert {"Observation", "Patient"} <= {r["type"] for r in rest["resource"]}
    assert any("oauth-uris" in x["url"] for x in rest["security"]["extension"])


@pytest.mark.parametrize(
    ("address", "accept", "status"),
    [
        ("/fhir/r4/metadata", "application/fhir+xml", 406),
        ("/fhir/r4/metadata?_format=xml", "", 406),
        ("/fhir/r4/metadata?_format=json", "application/fhir+xml", 200),
        ("/fhir/r4/metadata", "text/html,application/xhtml+xml,*/*;q=0.8", 200),
    ],
)
def test_the_statement_is_told_in_json_only(client, address, accept, status):
    answer = client.get(address, headers={"Accept": accept} if accept else {})

    assert answer.status_code == status
    assert answer.json()["resourceType"] == ("CapabilityStatement" if status == 200 else "OperationOutcome")
