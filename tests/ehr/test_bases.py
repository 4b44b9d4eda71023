"""An app that begins at the base of one EHR is told who the patient is there; its token opens every base."""

import pytest
from django.test import Client as Browser

from accounts.models import PatientIdentity
from fhirproxy.models import Source
from fhirproxy.served import SERVED
from tests import factories
from tests.smart.app import App, answer_of

pytestmark = pytest.mark.django_db
FAR = "http://testserver/fhir/far/r4"


@pytest.fixture
def alice(fake):
    alice = factories.alice()
    fake.load("plain", [{"resourceType": "Patient", "id": "a-far"}])
    fake.source().save()
    PatientIdentity.objects.create(patient=alice, source="far", fhir_id="a-far")
    return alice


@pytest.fixture
def app(alice) -> App:
    browser = Browser()
    browser.force_login(alice.user)
    return App(browser)


def test_the_patient_is_the_one_of_that_base_also_after_a_refresh(app, alice):
    tokens = app.redeem(app.code(asked={"aud": FAR})).json()

    assert tokens["patient"] == "a-far"
    assert app.refresh(tokens["refresh_token"]).json()["patient"] == "a-far"
    assert app.connect()["patient"] == factories.fhir_id(alice)


def test_a_grant_is_for_all_of_a_patients_ehrs(app, alice):
    headers = {"authorization": f"Bearer {app.connect()['access_token']}"}

    answers = [
        Browser().get(url, headers=headers)
        for url in (f"/fhir/r4/Patient/{factories.fhir_id(alice)}", "/fhir/far/r4/Patient/a-far")
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_an_ehr_that_does_not_know_the_patient_gives_no_code(app, alice):
    PatientIdentity.objects.filter(source="far").delete()

    answer = app.answer(app.page(aud=FAR))

    assert "code=" not in answer.headers.get("Location", "")
    assert answer.status_code >= 400


def test_a_base_of_no_ehr_is_no_audience(app):
    Source.objects.filter(slug="far").delete()

    assert answer_of(app.ask(aud=FAR))["error"] == "invalid_request"


# What is kept here and not at an EHR, at the primary one's base.
OURS = {"AuditEvent", "Consent", "Group", "Person", "Practitioner", "PractitionerRole", "RelatedPerson"}


@pytest.mark.parametrize("base", ["/fhir/r4", "/fhir/far/r4"])
def test_metadata_has_no_type_that_the_ehr_does_not_say_it_has(client, base):
    primary = factories.create_source()
    for source in (primary, Source(slug="far", name="Far", kind="http", base_url="http://127.0.0.1:9/")):
        source.types = "Basic Observation Patient"
        source.save()

    entries = client.get(f"{base}/metadata").json()["rest"][0]["resource"]

    assert {entry["type"] for entry in entries} - OURS == {"Observation", "Patient"}
    assert not any("searchRevInclude" in entry for entry in entries)  # it has no Provenance


def test_before_an_ehr_was_asked_metadata_has_all_that_is_served(client):
    factories.create_source()

    entries = client.get("/fhir/r4/metadata").json()["rest"][0]["resource"]

    assert {entry["type"] for entry in entries} == OURS | set(SERVED)
