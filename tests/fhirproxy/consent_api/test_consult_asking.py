"""patient-consent-consult: who may ask, and what is no question."""

import pytest
from django.test import Client as Browser

from consent import commands
from consent.vocabulary import Category
from fhirproxy import consult
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consulting import (
    BASE,
    EYES,
    READING,
    act,
    card,
    last_event,
    post,
    question,
)

pytestmark = pytest.mark.django_db


def privacy(patient, *categories):
    return factories.create_consent(patient, categories=categories or [Category.PRIVACY])


def test_a_client_asks_about_its_own_patient(alice):
    consent = privacy(alice)
    found = card(post(question(alice), token=issue(consent, READING)))

    assert found["summary"] == "CONSENT_PERMIT"
    event = last_event()
    assert (event.type, event.outcome, event.role) == ("consent:consult", "permit", "client")
    assert (event.patient, event.consent) == (f"Patient/{alice.pk}", f"Consent/{consent.pk}")
    assert event.detail == {"answer": "CONSENT_PERMIT", "asked": "TREAT"}


def test_A9_a_client_learns_nothing_of_another_patient(alice):
    mallory = factories.create_patient("Mallory Quinn")
    commands.prefer(patient=mallory, directive="treatment", permit=False, act=act(mallory))
    found = card(post(question(mallory), token=issue(privacy(alice), READING)))

    assert found["summary"] == "NO_CONSENT"
    event = last_event()
    assert (event.outcome, event.reasons) == ("deny", ["record.not-yours"])
    assert event.patient == f"Patient/{alice.pk}"


@pytest.mark.parametrize(
    ("categories", "scope"),
    [
        ([Category.PRIVACY], "patient/Observation.rs"),
        ([Category.PRIVACY], "patient/Consent.s"),
        ([Category.PRIVACY], "patient/Consent.rs?category=http://loinc.org|59284-0"),
        ([Category.TEST_RESULTS], "patient/*.rs"),
    ],
)
def test_a_client_needs_the_scope_and_the_patients_yes(alice, categories, scope):
    response = post(question(alice), token=issue(privacy(alice, *categories), scope))

    assert response.status_code == 403
    assert (last_event().type, last_event().outcome) == ("consent:consult", "deny")


def test_an_answer_does_not_leave_once_the_choices_changed(alice, monkeypatch):
    consent = privacy(alice)
    verdict = consult._verdict

    def decide_and_opt_out(*args):
        said = verdict(*args)
        commands.prefer(patient=alice, directive="treatment", permit=False, act=act(alice))
        return said

    monkeypatch.setattr(consult, "_verdict", decide_and_opt_out)
    assert post(question(alice), token=issue(consent, READING)).status_code == 503
    browser = Browser()
    browser.force_login(factories.create_staff("Cora", "compliance"))
    assert post(question(alice), browser).status_code == 503


def test_an_ended_or_unknown_token_asks_nothing(alice):
    consent = privacy(alice)
    token = issue(consent, READING)
    commands.revoke(consent, by=alice.user)

    assert post(question(alice), token=token).status_code == 401
    assert post(question(alice), token="made-up").status_code == 401
    assert post(question(alice)).status_code == 401


@pytest.mark.parametrize("roles", [(), ("clinician",), ("support",), ("administrator",)])
def test_other_people_may_not_ask(alice, roles):
    browser = Browser()
    browser.force_login(factories.create_staff("Sam", *roles))

    assert post(question(alice), browser).status_code == 403
    assert (last_event().outcome, last_event().reasons) == ("deny", ["role.not-allowed"])


def test_the_patient_has_pages_of_her_own_for_this(alice):
    browser = Browser()
    browser.force_login(alice.user)

    assert post(question(alice), browser).status_code == 403


def test_A16_a_page_elsewhere_cannot_ask():
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(factories.create_staff("Cora", "compliance"))

    assert post(question("nobody"), browser).status_code == 403


def test_staff_are_in_the_patients_log(alice, cora):
    post(question(alice), cora)
    event = last_event()

    assert (event.type, event.role, event.patient) == ("consent:consult", "compliance", f"Patient/{alice.pk}")
    assert (event.purpose, event.categories) == ("HOPERAT", ["privacy"])


# Bad input


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hook": "patient-view"}, "hook"),
        ({"hookInstance": ""}, "hookInstance"),
        ({"hookInstance": 5}, "hookInstance"),
        ({"context": None}, "context"),
        ({"context": {"encounterId": "1"}}, "context"),
    ],
)
def test_a_question_that_cannot_be_is_refused(alice, cora, change, field):
    response = post(question(alice) | change, cora)

    assert response.status_code == 400
    assert response.json()["issue"][0]["diagnostics"].startswith(f"{field}:")


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"patientId": []}, "context.patientId"),
        ({"patientId": [{"value": "1"}]}, "context.patientId[0]"),
        ({"patientId": [{"system": BASE, "value": "1"}] * 11}, "context.patientId"),
        ({"actor": None}, "context.actor[0]"),
        ({"actor": ["Patient/1"]}, "context.actor[0]"),
        ({"actor": [EYES, "Organization/1/2"]}, "context.actor[1]"),
        ({"actor": [{"system": "urn:x", "value": "1,2"}]}, "context.actor[0]"),
        ({"purposeOfUse": "FUN"}, "context.purposeOfUse"),
        ({"purposeOfUse": ["TREAT", "HRESCH"]}, "context.purposeOfUse"),
        ({"purposeOfUse": None}, "context.purposeOfUse"),
        ({"scope": "everything"}, "context.scope"),
        ({"category": ["secrets"]}, "context.category"),
        ({"category": []}, "context.category"),
        ({"category": [{"system": "urn:x", "code": "notes"}]}, "context.category"),
        ({"class": ["Diary"]}, "context.class"),
        ({"class": "Goal"}, "context.class"),
        ({"content": {"resourceType": "Bundle"}}, "context.content"),
        ({"content": {"entry": [{}]}}, "context.content"),
        ({"content": {"entry": "x"}}, "context.content"),
        ({"content": {"entry": [{"resource": {}}]}}, "context.content"),
        ({"content": {"entry": [{"resource": {"resourceType": ["Goal"]}}]}}, "context.content"),
        ({"content": {"entry": [{"resource": {}}]}, "category": ["notes"]}, "context.content"),
    ],
)
def test_a_context_that_cannot_be_is_refused_with_its_field(alice, cora, context, field):
    response = post(question(alice, **context), cora)

    assert response.status_code == 400, response.content
    assert response.json()["issue"][0]["diagnostics"].startswith(f"{field}:")


@pytest.mark.parametrize(("body", "status"), [("{", 400), ("[]", 400), ('"x"', 400), ("x" * 1_100_000, 413)])
def test_a_body_that_is_no_question_is_refused(cora, body, status):
    assert post(body, cora).status_code == status


def test_a_question_of_staff_that_is_refused_stands_in_the_log(cora):
    assert post("{}", cora).status_code in (400, 422)

    event = last_event()
    assert (event.type, event.outcome) == ("record:refuse", "deny")
    assert event.reasons[0].startswith("request.4")


def test_a_question_is_posted(client, cora):
    assert cora.get("/cds-services/patient-consent-consult").status_code == 405
    assert cora.post("/cds-services/patient-consent-consult", {"hook": "x"}).status_code == 415
    assert client.post("/cds-services").status_code == 405


def test_a_record_that_cannot_be_read_counts_as_private(alice, cora):
    bundle = {
        "entry": [{"resource": {"resourceType": "Goal", "meta": odd}} for odd in (1, {"security": "R"})]
    }
    found = card(post(question(alice, content=bundle), cora))

    assert found["summary"] == "NO_CONSENT"


def test_the_purposes_of_the_directives_are_known(alice, cora):
    for purpose in ("HPAYMT", "HOPERAT", "ETREAT"):
        assert card(post(question(alice, purpose=purpose), cora))["summary"] == "CONSENT_PERMIT"
