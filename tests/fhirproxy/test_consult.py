"""patient-consent-consult: another system asks what a patient's choices say."""

import json
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands, fhir
from consent.vocabulary import ACT_CODE, LABELS, LOINC, Category
from fhirproxy import consult
from tests import factories
from tests.fhirproxy.conftest import issue

pytestmark = pytest.mark.django_db

BASE = "http://testserver/fhir/r4"
EYES, TEETH = "Organization/eye-clinic", "Organization/dentist"
READING = "patient/Consent.rs"


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


@pytest.fixture
def cora():
    browser = Browser()
    browser.force_login(factories.create_staff("Cora", "compliance"))
    return browser


def question(patient, *actors, purpose="TREAT", **context):
    fhir_id = patient if isinstance(patient, str) else factories.fhir_id(patient)
    return {
        "hook": "patient-consent-consult",
        "hookInstance": "4f0b5a52-7a1e-4f5d-a2f6-1f1f0f5e8c11",
        "context": {
            "patientId": [{"system": BASE, "value": fhir_id}],
            "actor": list(actors) or [EYES],
            "purposeOfUse": purpose,
            "scope": "patient-privacy",
            **context,
        },
    }


def post(asked, browser=None, token=""):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = asked if isinstance(asked, str) else json.dumps(asked)
    path = "/cds-services/patient-consent-consult"
    return (browser or Browser()).post(path, body, content_type="application/json", headers=headers)


def card(response):
    assert response.status_code == 200, response.content
    [found] = response.json()["cards"]
    return found


def redacted(found):
    """The codes that must be left out."""
    [obligation] = found["extension"]["obligations"]
    assert obligation["id"] == {"system": ACT_CODE, "code": "REDACT"}
    return {coding["code"] for coding in obligation["parameters"].get("codes", [])}


def act(patient):
    return commands.Act(by=patient.user, channel="portal")


def share(patient, recipient=EYES, categories=(Category.MEDICINES,), labels=(), purposes=("TREAT",)):
    return commands.share(
        patient=patient,
        recipient=recipient,
        categories=categories,
        labels=labels,
        until=timezone.now() + timedelta(days=9),
        act=act(patient),
        purposes=purposes,
    )


def limit(patient, **provision):
    """A limit that the clinic agreed to."""
    asked = commands.ask_restriction(
        patient=patient, provision={"type": "deny", **provision}, act=act(patient)
    )
    return commands.answer(asked, agreed=True, act=act(patient))


def last_event():
    return AuditEvent.objects.order_by("-recorded_at", "-id").first()


def test_discovery_says_which_hook_is_here(client):
    [service] = client.get("/cds-services").json()["services"]

    assert (service["hook"], service["id"]) == ("patient-consent-consult", "patient-consent-consult")


# What is answered


def test_treatment_is_allowed_by_default_without_what_is_private(alice, cora):
    found = card(post(question(alice), cora))

    assert (found["summary"], found["indicator"]) == ("CONSENT_PERMIT", "info")
    assert redacted(found) == LABELS
    assert found["extension"]["decision"] == "CONSENT_PERMIT"
    assert found["extension"]["basedOn"] == []
    assert found["source"]["url"] == "http://testserver"


def test_research_needs_a_yes(alice, cora):
    asked = question(alice, purpose="HRESCH")

    assert card(post(asked, cora))["summary"] == "NO_CONSENT"
    choice = commands.prefer(patient=alice, directive="research", permit=True, act=act(alice))
    found = card(post(asked, cora))
    assert found["summary"] == "CONSENT_PERMIT"
    assert found["extension"]["basedOn"] == [{"reference": f"Consent/{choice.pk}/_history/1"}]


def test_who_opted_out_said_no(alice, cora):
    commands.prefer(patient=alice, directive="treatment", permit=False, act=act(alice))
    found = card(post(question(alice), cora))

    assert (found["summary"], found["indicator"]) == ("CONSENT_DENY", "critical")
    assert found["extension"]["obligations"] == []


def test_a_share_shows_its_kinds_and_labels_to_its_recipient_only(alice, cora):
    share(alice, labels=["SUD"], purposes=["HRESCH"])
    found = card(post(question(alice, purpose="HRESCH"), cora))

    assert redacted(found) == LABELS - {"SUD"} | set(Category) - {Category.MEDICINES}
    assert "Patient.address" in found["extension"]["obligations"][0]["parameters"]["elements"]
    assert card(post(question(alice, TEETH, purpose="HRESCH"), cora))["summary"] == "NO_CONSENT"


def test_the_kinds_that_are_asked_for_are_those_that_are_answered(alice, cora):
    share(alice, purposes=["HRESCH"])
    asked = question(alice, purpose="HRESCH", category=["visits"])
    both = [{"system": fhir.DATA_CATEGORY, "code": "visits"}, "medicines"]

    assert card(post(asked, cora))["summary"] == "NO_CONSENT"
    found = card(post(question(alice, purpose="HRESCH", category=both), cora))
    assert redacted(found) == LABELS | {"visits"}


def test_a_limit_on_somebody_else_is_none_on_this_one(alice, cora):
    limit(alice, actor=fhir_actor(EYES))

    assert card(post(question(alice, EYES), cora))["summary"] == "CONSENT_DENY"
    assert card(post(question(alice, TEETH), cora))["summary"] == "CONSENT_PERMIT"
    assert card(post(question(alice, TEETH, EYES), cora))["summary"] == "CONSENT_DENY"


def fhir_actor(reference):
    return [{"role": fhir.concept(fhir.PARTICIPATION, "IRCP"), "reference": {"reference": reference}}]


@pytest.mark.parametrize(
    ("provision", "name", "expected"),
    [
        ({"code": [fhir.concept(fhir.DATA_CATEGORY, "notes")]}, "codes", {"notes"}),
        ({"class": [{"system": fhir.RESOURCE_TYPES, "code": "Device"}]}, "codes", {"Device"}),
        ({"code": [fhir.concept(LOINC, "4548-4")]}, "codes", {"4548-4"}),
        (
            {"data": [{"meaning": "related", "reference": {"reference": "Encounter/1"}}]},
            "data",
            [{"meaning": "related", "reference": "Encounter/1"}],
        ),
        (
            {"dataPeriod": {"start": "2022-01-01T00:00:00Z", "end": "2023-01-01T00:00:00Z"}},
            "periods",
            [{"start": "2022-01-01T00:00:00+00:00", "end": "2023-01-01T00:00:00+00:00"}],
        ),
    ],
)
def test_a_limit_on_some_records_is_an_obligation(alice, cora, provision, name, expected):
    limit(alice, **provision)
    found = card(post(question(alice), cora))

    assert found["summary"] == "CONSENT_PERMIT"
    if name == "codes":
        assert redacted(found) == LABELS | expected
    else:
        assert found["extension"]["obligations"][0]["parameters"][name] == expected


def test_a_type_that_is_asked_for_is_looked_at_by_itself(alice, cora):
    limit(alice, **{"class": [{"system": fhir.RESOURCE_TYPES, "code": "Device"}]})

    assert card(post(question(alice, **{"class": ["Device"]}), cora))["summary"] == "CONSENT_DENY"
    found = card(post(question(alice, **{"class": ["Device", "Goal"]}), cora))
    assert "Device" in redacted(found)


def test_labels_that_no_one_permit_names_together_are_not_both_shown(alice, cora):
    share(alice, EYES, labels=["SUD"], purposes=["HRESCH"])
    share(alice, TEETH, labels=["PSY"], purposes=["HRESCH"])
    found = card(post(question(alice, EYES, TEETH, purpose="HRESCH"), cora))

    assert len({"SUD", "PSY"} & redacted(found)) == 1


def test_records_that_come_along_are_decided_one_by_one(alice, cora):
    share(alice, labels=["SUD"], purposes=["HRESCH"])
    medicine = {"resourceType": "MedicationRequest", "id": "1"}
    private = medicine | {"meta": {"security": [{"system": ACT_CODE, "code": "PSY"}]}}
    named = medicine | {"meta": {"security": [{"system": ACT_CODE, "code": "SUD"}]}}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": r} for r in (medicine, private, named, {"resourceType": "Encounter"})],
    }
    found = card(post(question(alice, purpose="HRESCH", content=bundle), cora))

    assert found["summary"] == "CONSENT_PERMIT"
    assert [entry["decision"] for entry in found["extension"]["content"]] == [
        *("CONSENT_PERMIT", "NO_CONSENT", "CONSENT_PERMIT", "NO_CONSENT"),
    ]


def test_an_actor_can_be_named_by_an_identifier_that_the_ehr_knows(alice, cora):
    npi = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
    factories.load_records(
        {"resourceType": "Organization", "id": "eye-clinic", "name": "Eyes", "identifier": [npi]}
    )
    limit(alice, actor=fhir_actor(EYES))

    assert card(post(question(alice, npi), cora))["summary"] == "CONSENT_DENY"
    assert card(post(question(alice, npi | {"value": "1"}), cora))["summary"] == "NO_CONSENT"


def test_A22_who_is_no_patient_looks_like_one_who_said_nothing(alice, cora):
    def answered(patient):
        found = card(post(question(patient, purpose="HRESCH"), cora))
        found["extension"].pop("dateTime")
        return found

    nobody = answered("nobody")
    assert nobody["summary"] == "NO_CONSENT"
    assert nobody == answered(alice)
    assert card(post(question("nobody"), cora))["summary"] == "NO_CONSENT"
    event = last_event()
    assert (event.outcome, event.reasons, event.patient) == ("deny", ["record.not-yours"], "")


def test_two_patients_in_one_question_are_none(alice, cora):
    mallory = factories.create_patient("Mallory Quinn")
    names = [{"system": BASE, "value": factories.fhir_id(p)} for p in (alice, mallory)]

    assert card(post(question(alice, patientId=names), cora))["summary"] == "NO_CONSENT"


def test_another_kind_of_consent_is_not_kept_here(alice, cora):
    assert card(post(question(alice, scope="adr"), cora))["summary"] == "NO_CONSENT"


def test_a_card_says_nothing_of_the_patient(alice, cora):
    share(alice, labels=["HIV"])
    text = post(question(alice), cora).content.decode()

    assert alice.name not in text
    assert factories.fhir_id(alice) not in text
    assert str(alice.pk) not in text


# Who may ask


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
