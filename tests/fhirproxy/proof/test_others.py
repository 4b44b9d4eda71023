"""A9 and A10 where it is not the one EHR that answers: Consents, which are kept here, and a second EHR."""

import json
import uuid

import pytest
from django.test import Client as Browser

from accounts.models import PatientIdentity
from consent.models import ConsentVersion
from fhirproxy.models import Source
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import FHIR_JSON, FORM, VOLATILE, Answer, Case
from tests.fhirproxy.proof.cases import OWNED
from tests.fhirproxy.proof.conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs(world: World) -> str:
    """The id of Mallory's consent."""
    return str(world.stranger.consents.get().pk)


class Person:
    """Alice, signed in, without a token of an app."""

    def __init__(self, world: World) -> None:
        self.browser = Browser(raise_request_exception=False)
        self.browser.force_login(world.patient.user)

    def send(self, case: Case) -> Answer:
        content = {"data": case.body, "content_type": case.content_type} if case.method != "GET" else {}
        answer = self.browser.generic(
            case.method, f"/fhir/r4/{case.path}", headers=dict(case.headers), **content
        )
        headers = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in VOLATILE}
        return Answer(answer.status_code, headers, answer.content)


def consent_cases(one: str, patient: str, body: str) -> list[Case]:
    """About a consent, and about whose it is."""
    match = {"if-match": 'W/"1"'}
    revoked = json.dumps(json.loads(body) | {"status": "inactive", "id": one})
    return [
        *(
            Case(path, 404)
            for path in (f"Consent/{one}", f"Consent/{one}/_history", f"Consent/{one}/_history/1")
        ),
        *(Case(f"Consent/{one}", 404, headers={"if-none-match": tag}) for tag in ('W/"1"', "*")),
        Case(f"Consent?patient={patient}-patient", 200),
        Case(f"Consent?patient=Patient/{patient}-patient", 200),
        Case("Consent/_search", 200, "POST", f"patient={patient}-patient", FORM),
        Case(f"Consent/{one}", 404, "PUT", revoked, FHIR_JSON, match),
        Case(f"Consent/{one}", 404, "PUT", body.replace("deny", "permit"), FHIR_JSON, match),
    ]


@pytest.mark.parametrize("asker", ["app", "person"])
def test_A9_A10_anothers_consent_is_as_one_that_is_not_there(world, theirs, asker):
    who = world.app if asker == "app" else Person(world)
    ghost = str(uuid.uuid4())
    said = json.loads(ConsentVersion.objects.get(consent_id=theirs).fhir)
    said["patient"] = {"reference": f"Patient/{world.mallory}-patient"}
    before = ConsentVersion.objects.count()
    for case in consent_cases(theirs, world.mallory, json.dumps(said)):
        answer = who.send(case)
        other = who.send(case.about(theirs, ghost).about(world.mallory, world.ghost))
        assert answer.about(theirs, ghost).about(world.mallory, world.ghost) == other, case
        assert theirs.encode() not in other.body
        assert answer.status == case.status or case.method == "PUT", (case, answer)
        assert answer.status >= 400 or not answer.entries, case

    assert ConsentVersion.objects.count() == before


def test_A10_a_consent_for_another_patient_is_not_taken(world, theirs):
    said = json.loads(ConsentVersion.objects.get(consent_id=theirs).fhir)
    before = ConsentVersion.objects.count()
    for who in (world.app, Person(world)):
        for whose in (world.mallory, world.ghost):
            said |= {"patient": {"reference": f"Patient/{whose}-patient"}, "status": "proposed"}
            answer = who.send(Case("Consent", 0, "POST", json.dumps(said), FHIR_JSON))
            assert answer.status in (400, 403, 404, 422), answer

    assert ConsentVersion.objects.count() == before


def test_ones_own_consents_are_there(world):
    """Without this the others would prove nothing."""
    for who in (world.app, Person(world)):
        assert who.send(Case(f"Consent/{world.consent.pk}", 0)).status == 200
        assert who.send(Case(f"Consent?patient={world.alice}-patient", 0)).ids


# A second EHR, in which the same ids are somebody else's


@pytest.fixture
def second(world: World) -> str:
    """Its base. It has the same store, so that every id is there; nobody said that Alice's is hers there."""
    Source.objects.create(slug="second", name="Second Clinic", kind="embedded")
    return "../second/r4"


def ask(world: World, path: str) -> Answer:
    browser = Browser(raise_request_exception=False)
    answer = browser.get(f"/fhir/second/r4/{path}", headers={"authorization": f"Bearer {world.app.token}"})
    return Answer(answer.status_code, {}, answer.content)


@pytest.mark.parametrize("kind", OWNED)
def test_A9_an_id_that_is_hers_in_one_ehr_is_nobodys_in_another(world, second, kind):
    one = f"{kind}/{records.id_of(kind, world.alice)}"
    for path in (one, f"{one}/_history", f"{one}/_history/1"):
        answer = ask(world, path)
        assert (answer.status, b"plain" in answer.body) == (404, False), path
    for path in (kind, f"{kind}?patient={world.alice}-patient" if kind != "Patient" else f"{kind}?_id=x"):
        answer = ask(world, path)
        assert (answer.status, answer.entries) == (200, []), path
    assert ask(world, f"Patient/{world.alice}-patient/$everything").status == 404


def test_A9_in_a_second_ehr_a_patient_is_who_they_are_there(world, second):
    """Alice has an id there that is Mallory's here; and hers here is a stranger's there."""
    PatientIdentity.objects.create(patient=world.patient, source="second", fhir_id=f"{world.mallory}-patient")

    assert ask(world, f"Patient/{world.mallory}-patient").status == 200
    assert ask(world, f"Patient/{world.alice}-patient").status == 404
    assert world.app.get(f"Patient/{world.mallory}-patient").status == 404


def test_A9_a_resource_of_nobody_is_not_hers_where_she_is_nobody(world, second):
    lab = records.resource_of("Observation", world.alice, "plain")
    records.keep([lab | {"id": "nobodys", "subject": {"reference": "Patient/"}}])

    assert ask(world, "Observation/nobodys").status == 404


def test_A28_a_page_link_of_one_ehr_is_none_of_another(world, second):
    records.keep([records.resource_of("Observation", world.alice, "plain") | {"id": f"{world.alice}-second"}])
    PatientIdentity.objects.create(patient=world.patient, source="second", fhir_id=f"{world.alice}-patient")
    link = json.loads(world.app.get("Observation?_count=1").body)["link"][0]["url"].partition("/fhir/r4/")[2]

    assert world.app.get(link).status == 200
    assert ask(world, link).status == 400
