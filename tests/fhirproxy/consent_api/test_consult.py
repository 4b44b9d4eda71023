"""patient-consent-consult: another system asks what a patient's choices say."""

import pytest

from consent import commands, fhir
from consent.vocabulary import ACT_CODE, LABELS, LOINC, Category
from tests import factories
from tests.fhirproxy.consulting import (
    BASE,
    EYES,
    TEETH,
    act,
    card,
    last_event,
    limit,
    post,
    question,
    redacted,
    share,
)

pytestmark = pytest.mark.django_db


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
