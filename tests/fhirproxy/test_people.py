"""People as FHIR: a patient's helpers, and who signed in, at the address that `fhirUser` names."""

import base64
import json

import pytest
from django.test import Client as Browser
from fhir.resources.R4B.person import Person
from fhir.resources.R4B.practitioner import Practitioner
from fhir.resources.R4B.practitionerrole import PractitionerRole
from fhir.resources.R4B.relatedperson import RelatedPerson

from accounts.models import StaffRole
from accounts.relation_states import Why
from audit.models import AuditEvent
from consent import helping
from consent.vocabulary import Category
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.smart.app import App, answer_of
from tests.smart.test_ends import SECRET, introspect
from tests.smart.test_launches import opened_for

pytestmark = pytest.mark.django_db
READ = "patient/RelatedPerson.rs"


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def relation(alice):
    return factories.let_help(factories.create_user("Amir Moreno"), alice, may_share=True)


def app_of(user, scope):
    browser = Browser()
    browser.force_login(user)
    return App(browser, scope=scope)


def answer_to(token, address):
    """What an app gets at an absolute address, or one below the base."""
    path = address.removeprefix("http://testserver/fhir/r4/")
    return Browser().get(f"/fhir/r4/{path}", headers={"Authorization": f"Bearer {token}"})


def claim(answer):
    """`fhirUser` of an id_token."""
    body = answer["id_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=="))["fhirUser"]


def test_an_app_of_the_patient_reads_who_helps_them(alice, relation, get):
    found = get(issue(factories.create_consent(alice), READ), f"RelatedPerson/{relation.pk}")

    assert found.status_code == 200
    resource = found.json()
    RelatedPerson.model_validate_json(found.content)
    assert resource["active"] is True
    assert resource["patient"] == {"reference": f"Patient/{factories.fhir_id(alice)}"}
    assert resource["relationship"][0]["coding"][0]["code"] == "SPS"
    assert resource["name"] == [{"text": "Amir Moreno"}]
    assert resource["period"]["end"] == relation.period_end.isoformat()
    row = AuditEvent.objects.get(type="record:read", resource_types=["RelatedPerson"])
    assert (row.outcome, row.patient) == ("permit", f"Patient/{alice.pk}")


def test_the_ground_of_the_help_is_not_told(alice, relation, get):
    found = get(issue(factories.create_consent(alice), READ), f"RelatedPerson/{relation.pk}")

    assert "choice" not in found.text


def test_who_does_not_help_any_more_is_not_active(alice, relation, get):
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    found = get(issue(factories.create_consent(alice), READ), f"RelatedPerson/{relation.pk}")

    assert found.json()["active"] is False


def test_who_only_asked_is_not_there(alice, get):
    asking = factories.helps(factories.create_user("Eve"), alice, "SPS", status="asked")

    token = issue(factories.create_consent(alice), READ)
    assert get(token, f"RelatedPerson/{asking.pk}").status_code == 404
    assert "entry" not in get(token, "RelatedPerson").json()


@pytest.mark.parametrize(
    ("categories", "scope", "status"),
    [
        ([Category.DEMOGRAPHICS], "patient/Observation.rs", 403),
        ([Category.TEST_RESULTS], READ, 403),
        ([Category.DEMOGRAPHICS], READ, 200),
    ],
)
def test_scope_and_consent_decide(alice, relation, get, categories, scope, status):
    token = issue(factories.create_consent(alice, categories=categories), scope)

    assert get(token, f"RelatedPerson/{relation.pk}").status_code == status
    assert get(token, "RelatedPerson").status_code == status


def test_a_stranger_does_not_find_them(relation, get):
    token = issue(factories.create_consent(factories.mallory()), READ)
    theirs, nobodys = (get(token, f"RelatedPerson/{pk}") for pk in (relation.pk, relation.patient_id))

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.content == nobodys.content


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 1),
        ("?patient={patient}", 1),
        ("?name=mor", 1),
        ("?name=oren", 0),
        ("?_id={relation}", 1),
        ("?_id={patient}", 0),
        ("?patient=Patient/another", 0),
    ],
)
def test_a_search_finds_the_helpers(alice, relation, get, query, count):
    token = issue(factories.create_consent(alice), READ)
    query = query.format(patient=f"Patient/{factories.fhir_id(alice)}", relation=relation.pk)

    found = get(token, f"RelatedPerson{query}").json()

    assert len(found.get("entry", [])) == count
    assert "total" not in found


def test_a_search_has_those_of_the_EHR_too(alice, relation, get):
    mother = {"resourceType": "RelatedPerson", "id": "mother", "name": [{"text": "Rosa Moreno"}]}
    factories.load_records(mother | {"patient": {"reference": f"Patient/{factories.fhir_id(alice)}"}})
    token = issue(factories.create_consent(alice), READ)

    found = get(token, "RelatedPerson").json()

    assert [e["resource"]["id"] for e in found["entry"]] == ["mother", str(relation.pk)]
    assert get(token, "RelatedPerson/mother").status_code == 200


def has_a_record(user):
    own = factories.create_patient(user.name, signs_in=False)
    own.user = user
    own.save()
    return own


def test_fhirUser_of_a_patient_answers(alice):
    answer = app_of(alice.user, "openid fhirUser patient/Patient.rs").connect()

    assert answer_to(answer["access_token"], claim(answer)).status_code == 200


def test_fhirUser_of_a_helper_answers_and_tells_nothing_else(alice, relation):
    app = app_of(relation.user, "openid fhirUser patient/Observation.rs")
    answer = app.redeem(app.code()).json()
    token = answer["access_token"]

    found = answer_to(token, claim(answer))
    assert (found.status_code, found.json()["id"]) == (200, str(relation.pk))
    other = factories.let_help(factories.create_user("Rosa"), alice)
    assert answer_to(token, f"RelatedPerson/{other.pk}").status_code == 403
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    assert answer_to(token, claim(answer)).status_code in (401, 403)


def test_without_the_scope_fhirUser_nothing_is_opened(alice, relation):
    app = app_of(relation.user, "openid patient/Observation.rs")
    token = app.redeem(app.code()).json()["access_token"]

    assert answer_to(token, f"RelatedPerson/{relation.pk}").status_code == 403
    assert answer_to(token, f"Person/{relation.user_id}").status_code == 404


def test_a_person_is_linked_to_what_they_are_here_and_to_nothing_else(alice, relation):
    has_a_record(relation.user)
    app = app_of(relation.user, "openid fhirUser patient/Observation.rs")
    page = app.page()
    app.browser.post(page, {"do": "record", "record": str(alice.pk)})
    token = app.redeem(answer_of(app.answer(page))["code"]).json()["access_token"]

    found = answer_to(token, f"Person/{relation.user_id}")
    Person.model_validate_json(found.content)

    assert found.json()["link"] == [{"target": {"reference": f"RelatedPerson/{relation.pk}"}}]
    assert answer_to(token, f"Person/{alice.user.pk}").status_code == 404


@pytest.fixture
def clinic(alice):
    app = app_of(factories.dr_osei(treats=[alice]), "launch openid fhirUser user/Patient.rs")
    type(app.client).objects.filter(pk=app.client.pk).update(launch_uri="http://127.0.0.1:8001/launch")
    return app


def test_fhirUser_of_a_clinician_answers(alice, clinic):
    answer = clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, alice)})).json()
    token = answer["access_token"]

    found = answer_to(token, claim(answer))
    Practitioner.model_validate_json(found.content)
    assert found.json()["name"] == [{"text": "Dr. Ngozi Osei"}]
    role = answer_to(token, f"PractitionerRole/staff-{StaffRole.objects.get().pk}")
    PractitionerRole.model_validate_json(role.content)
    assert role.json()["practitioner"]["reference"] == "Practitioner/dr-osei"
    assert answer_to(token, "Practitioner/dr-lee").status_code == 403


def test_a_clinicians_app_that_may_read_practitioners_asks_the_EHR(alice, clinic):
    clinic.scope += " user/Practitioner.rs"
    answer = clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, alice)})).json()

    assert "qualification" in answer_to(answer["access_token"], claim(answer)).json() or (
        answer_to(answer["access_token"], claim(answer)).json()["name"] != [{"text": "Dr. Ngozi Osei"}]
    )


def test_A13_introspection_tells_of_the_capacity_and_not_of_the_own_record(alice, relation):
    app = app_of(relation.user, "openid fhirUser patient/Observation.rs")
    app.client = factories.acme_client(client_type="confidential", client_secret=SECRET)
    token = app.redeem(app.code(), client_secret=SECRET).json()["access_token"]
    has_a_record(relation.user)

    facts = introspect(app, token).json()

    assert facts["fhirUser"] == f"http://testserver/fhir/r4/RelatedPerson/{relation.pk}"


def test_A13_who_is_a_clinician_elsewhere_helps_as_a_helper(alice, relation):
    StaffRole.objects.create(user=relation.user, role="clinician", practitioner="Practitioner/dr-lee")
    app = app_of(relation.user, "openid fhirUser patient/Observation.rs")

    assert claim(app.redeem(app.code()).json()).endswith(f"/fhir/r4/RelatedPerson/{relation.pk}")


def test_they_stand_in_the_capability_statement(client):
    rows = client.get("/fhir/r4/metadata").json()["rest"][0]["resource"]

    assert {"Person", "Practitioner", "PractitionerRole", "RelatedPerson"} <= {row["type"] for row in rows}


@pytest.mark.parametrize("kind", ["Person", "RelatedPerson", "Practitioner", "PractitionerRole"])
def test_nobody_gets_in_without_a_token(client, kind):
    assert client.get(f"/fhir/r4/{kind}/1").status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written(alice, relation, method):
    token = issue(factories.create_consent(alice), READ)
    headers = {"Authorization": f"Bearer {token}"}

    for address in (f"RelatedPerson/{relation.pk}", f"Person/{alice.user.pk}"):
        answer = getattr(Browser(), method)(f"/fhir/r4/{address}", headers=headers)
        assert answer.status_code in (403, 404, 405)
