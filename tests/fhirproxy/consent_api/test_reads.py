"""FHIR Consent over HTTP: who reads and finds what, by the patient's own session and by a client."""

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from consent import commands, fhir
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consents import ALL, ask, last_event

pytestmark = pytest.mark.django_db


def test_the_patient_reads_a_consent_under_the_id_that_others_know(alice, session):
    consent = factories.create_consent(alice)
    response = ask("GET", f"/{consent.pk}", browser=session)

    assert response.status_code == 200
    assert response["ETag"] == 'W/"1"'
    assert response["Last-Modified"]
    assert response.json()["patient"] == {"reference": f"Patient/{factories.fhir_id(alice)}"}
    assert str(alice.pk) not in response.content.decode()
    event = last_event()
    assert (event.type, event.outcome, event.resource_types) == ("record:read", "permit", ["Consent"])
    assert (event.role, event.categories, event.count) == ("patient", ["privacy"], 1)


def test_a_client_reads_what_the_patient_lets_it(privacy, token):
    response = ask("GET", f"/{privacy.pk}", token=token)

    assert response.status_code == 200
    assert response.json()["id"] == str(privacy.pk)
    event = last_event()
    assert (event.role, event.consent) == ("client", f"Consent/{privacy.pk}")


@pytest.mark.parametrize(
    ("scope", "categories", "diagnostics"),
    [
        ("patient/Observation.rs", [Category.PRIVACY], "scope-not-granted"),
        ("patient/*.cruds", [Category.TEST_RESULTS], "no-consent"),
    ],
)
def test_a_client_needs_the_scope_and_the_patients_yes(alice, scope, categories, diagnostics):
    consent = factories.create_consent(alice, categories=categories)
    response = ask("GET", f"/{consent.pk}", token=issue(consent, scope))

    assert (response.status_code, response.json()["issue"][0]["diagnostics"]) == (403, diagnostics)
    assert last_event().outcome == "deny"


def test_A9_a_consent_of_somebody_else_is_as_if_it_did_not_exist(session, token):
    theirs = factories.create_consent(factories.create_patient("Mallory Quinn"))
    for who in ({"browser": session}, {"token": token}):
        for path in ("", "/_history", "/_history/1"):
            hidden = ask("GET", f"/{theirs.pk}{path}", **who)
            missing = ask("GET", f"/00000000-0000-4000-8000-000000000000{path}", **who)
            assert hidden.status_code == 404
            assert hidden.content == missing.content


@pytest.mark.parametrize(
    "path", ["/x", "/{ID}", "/{id}/_history/0", "/{id}/_history/x", "/{id}/_history/9999999999"]
)
def test_an_address_that_names_no_consent_is_not_found(alice, session, path):
    consent = str(factories.create_consent(alice).pk)
    path = path.replace("{id}", consent).replace("{ID}", consent.upper())

    assert ask("GET", path, browser=session).status_code == 404


def test_a_consent_is_as_private_as_the_topics_it_speaks_of(alice, privacy, token):
    other = factories.create_consent(alice, labels=["SUD"])
    trusted = factories.create_consent(alice, categories=[Category.PRIVACY], labels=["SUD"])

    assert ask("GET", f"/{other.pk}", token=token).status_code == 404
    assert last_event().reasons == ["sensitive.optin"]
    assert found(ask("GET", token=token)) == [str(privacy.pk)]
    assert str(other.pk) in found(ask("GET", token=issue(trusted, ALL)))


def test_an_older_version_and_all_of_them_can_be_read(alice, session):
    consent = factories.create_consent(alice)
    commands.revoke(consent, by=alice.user)

    assert ask("GET", f"/{consent.pk}", browser=session).json()["status"] == "inactive"
    assert ask("GET", f"/{consent.pk}/_history/1", browser=session).json()["status"] == "active"
    assert ask("GET", f"/{consent.pk}/_history/3", browser=session).status_code == 404
    bundle = ask("GET", f"/{consent.pk}/_history", browser=session).json()
    assert bundle["type"] == "history"
    assert [e["resource"]["meta"]["versionId"] for e in bundle["entry"]] == ["2", "1"]
    assert [e["response"]["etag"] for e in bundle["entry"]] == ['W/"2"', 'W/"1"']
    assert {e["resource"]["patient"]["reference"] for e in bundle["entry"]} == {
        f"Patient/{factories.fhir_id(alice)}"
    }


def test_nobody_reads_without_a_session_or_a_token(alice):
    consent = factories.create_consent(alice)
    response = ask("GET", f"/{consent.pk}")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_staff_have_no_consents_of_their_own_here():
    browser = Browser()
    browser.force_login(factories.create_staff("Cora", "compliance"))

    assert ask("GET", browser=browser).status_code == 403


def test_an_ended_token_reads_nothing(alice, privacy, token):
    commands.revoke(privacy, by=alice.user)

    assert ask("GET", f"/{privacy.pk}", token=token).status_code == 401
    assert last_event().outcome == "deny"


# Search


def found(response):
    assert response.status_code == 200, response.content
    return [entry["resource"]["id"] for entry in response.json().get("entry", [])]


@pytest.fixture
def four(alice):
    """An app's consent, a share, an app's that was stopped, and one that waits; the newest last."""
    app = factories.create_consent(alice)
    act = Act(by=alice.user, channel="portal")
    share = commands.share(
        patient=alice,
        recipient="Organization/eye-clinic",
        categories=[Category.MEDICINES],
        labels=[],
        until=timezone.now() + timedelta(days=9),
        act=act,
    )
    stopped = commands.revoke(factories.create_consent(alice), by=alice.user)
    asked = commands.ask_restriction(patient=alice, provision={"type": "deny"}, act=act)
    return [str(consent.pk) for consent in (app, share, stopped, asked)]


def test_a_search_finds_the_patients_consents_newest_first(four, session):
    factories.create_consent(factories.create_patient("Mallory Quinn"))
    response = ask("GET", browser=session)

    assert found(response) == four[::-1]
    assert "total" not in response.json()
    event = last_event()
    assert (event.type, event.outcome, event.count) == ("record:search", "permit", 4)


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("status=active", [1, 0]),
        ("status=inactive", [2]),
        ("status=active,proposed", [3, 1, 0]),
        ("status=http://hl7.org/fhir/consent-state-codes|proposed", [3]),
        ("status=draft", []),
        ("status=active&actor=Organization/eye-clinic", [1]),
        ("actor=Organization/other", []),
        ("date=ge2020-01-01&_lastUpdated=lt2999", [3, 2, 1, 0]),
        ("date=lt2020-01-01", []),
        ("date=ne2020", [3, 2, 1, 0]),
        ("_id=x", []),
    ],
)
def test_a_search_is_narrowed(four, session, query, places):
    assert found(ask("GET", f"?{query}", browser=session)) == [four[i] for i in places]


def test_a_search_by_ids_by_patient_and_by_app(alice, four, session):
    me = factories.fhir_id(alice)
    app = Consent.objects.get(pk=four[0]).client.client_id

    assert found(ask("GET", f"?_id={four[0]},{four[1]}", browser=session)) == [four[1], four[0]]
    for patient in (me, f"Patient/{me}", f"http://testserver/fhir/r4/Patient/{me}"):
        assert found(ask("GET", f"?patient={patient}&status=proposed", browser=session)) == [four[3]]
    assert found(ask("GET", f"?actor:identifier={fhir.CLIENT_ID}|{app}", browser=session)) == [four[0]]


def test_A9_a_search_for_another_patient_finds_nothing_and_is_logged(four, session):
    mallory = factories.create_patient("Mallory Quinn")
    factories.create_consent(mallory)
    nobody = ask("GET", "?patient=nobody", browser=session)

    assert ask("GET", f"?patient={factories.fhir_id(mallory)}", browser=session).content == nobody.content
    assert last_event().reasons == ["record.not-yours"]


@pytest.mark.parametrize(
    "query",
    [
        *("identifier=x", "_sort=date", "_include=Consent:patient", "_summary=count", "_total=accurate"),
        *("status:not=active", "patient.name=A", "_has:Provenance:target:agent=x", "period=2026"),
        *("status=done", "date=soon", "date=ap2026", "date=2026-13", "_count=0", "_count=999", "_count=a"),
        *("_cursor=x", "_cursor=a&status=active", f"_id={'x' * 501}", "_id=%00"),
    ],
)
def test_A11_what_a_search_does_not_serve_is_refused(session, query):
    response = ask("GET", f"?{query}", browser=session)

    assert response.status_code == 400, response.content
    assert last_event().outcome == "deny"


def test_pages_go_on_where_the_last_one_ended(four, session):
    first = ask("GET", "?_count=3&status=active,inactive,proposed", browser=session)
    [link] = first.json()["link"]
    commands.ask_restriction(  # what comes in between moves nothing
        patient=Consent.objects.get(pk=four[0]).patient,
        provision={"type": "deny"},
        act=Act(by=None, channel="portal"),
    )
    second = session.get(link["url"])

    assert found(first) + found(second) == four[::-1]
    assert "link" not in second.json()


def test_a_page_link_is_its_owners_only(four, session, token):
    [link] = ask("GET", "?_count=1", browser=session).json()["link"]
    query = "?" + link["url"].partition("?")[2]

    assert ask("GET", query, token=token).status_code == 400


def test_a_search_can_be_posted(four, session):
    response = session.post(
        "/fhir/r4/Consent/_search",
        "status=proposed",
        content_type="application/x-www-form-urlencoded",
    )

    assert found(response) == [four[3]]


def test_the_statement_names_what_is_served(client):
    [entry] = [
        r for r in client.get("/fhir/r4/metadata").json()["rest"][0]["resource"] if r["type"] == "Consent"
    ]

    assert {i["code"] for i in entry["interaction"]} == {
        *("read", "vread", "history-instance", "search-type", "create", "update"),
    }
    assert entry["versioning"] == "versioned-update"
    assert {p["name"] for p in entry["searchParam"]} == {
        *("_id", "_lastUpdated", "actor", "date", "patient", "status"),
    }
