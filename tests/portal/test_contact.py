"""Contact details: proposed to the clinic with the version that was seen, as a difference."""

import pytest
from django.urls import reverse

from accounts import stepup
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from portal.contact import FACTS, changed, facts_of
from tests import factories
from tests.portal.test_sending import sent
from tests.writes.conftest import clinician, in_chart, own

pytestmark = pytest.mark.django_db
RECORD = {
    "resourceType": "Patient",
    "id": "1",
    "name": [{"use": "official", "given": ["Alice"], "family": "Moreno"}],
    "telecom": [
        {"system": "phone", "use": "old", "value": "555 0000"},
        {"system": "phone", "use": "mobile", "value": "555 010 0100", "rank": 1},
    ],
    "address": [
        {"use": "old", "line": ["9 Gone Road"]},
        {"use": "home", "line": ["1 Elm Street", "Apt 2"], "city": "Riverside", "district": "Kent"},
    ],
    "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US"}]}}],
    "extension": [{"url": "urn:x", "valueInteger": 7}],
}


@pytest.fixture(autouse=True)
def proved(monkeypatch):
    monkeypatch.setattr(stepup, "require", lambda request, action, **more: None)


@pytest.fixture
def alice(client):
    patient = factories.alice()
    named = factories.patient_record(patient)
    factories.load_records({**RECORD, "id": named["id"], "birthDate": named["birthDate"]})
    client.force_login(patient.user)
    return patient


def test_what_nobody_changed_stays_as_it_is():
    assert changed(RECORD, facts_of(RECORD)) == RECORD
    assert changed(RECORD, {}) == RECORD


def test_a_change_touches_what_it_is_about_and_no_more():
    made = changed(
        RECORD,
        {
            "called": "Ali",
            "mobile": "555 010 0199",
            "street": "2 Oak Street",
            "language": "es",
            "call_name": "Amir",
        },
    )

    assert made["name"] == [*RECORD["name"], {"use": "usual", "text": "Ali"}]
    assert made["telecom"][0] == RECORD["telecom"][0]
    assert made["telecom"][1] == {"system": "phone", "use": "mobile", "value": "555 010 0199", "rank": 1}
    assert made["address"][0] == RECORD["address"][0]
    assert made["address"][1] == {
        "use": "home",
        "line": ["2 Oak Street"],
        "city": "Riverside",
        "district": "Kent",
    }
    assert [facts_of(made)[name] for name in ("language", "call_name")] == ["es", "Amir"]
    assert made["extension"] == RECORD["extension"]
    assert facts_of(changed(made, dict.fromkeys(FACTS, "")))["mobile"] == ""


def form(**facts: str) -> dict[str, str]:
    return facts_of(RECORD) | facts


def test_a_change_is_shown_beside_what_stands_and_goes_with_its_version(alice, osei, client):
    check = sent(client, reverse("portal:contact"), **form(mobile="555 010 0199"))
    assert "555 010 0100" in check.text
    assert "555 010 0199" in check.text
    client.post(
        reverse("portal:contact-check"), {"key": check.context["key"], "version": check.context["version"]}
    )

    command = WriteCommand.objects.get()
    assert (command.kind, command.base_version) == ("contact", check.context["version"])
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    assert dispatch.send(command.pk).status == "applied"
    [patient] = in_chart(alice, "Patient")
    assert facts_of(patient)["mobile"] == "555 010 0199"
    assert patient["name"] == RECORD["name"]


@pytest.fixture
def osei(alice):
    return factories.dr_osei(treats=[alice])


def test_a_record_that_changed_meanwhile_is_shown_again_first(alice, client):
    check = sent(client, reverse("portal:contact"), **form(mobile="555 010 0199"))
    moved = {**RECORD, "id": factories.fhir_id(alice), "birthDate": "1980-05-01", "gender": "female"}
    factories.load_records(moved)
    late = client.post(
        reverse("portal:contact-check"), {"key": check.context["key"], "version": check.context["version"]}
    )

    assert late.status_code == 409
    assert "The record changed meanwhile." in late.text
    assert not WriteCommand.objects.exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"mobile": "call me"}, "Enter a phone number"),
        ({"email": "nobody"}, "Enter an email"),
        ({"mobile": ""}, "Leave one phone number"),
    ],
)
def test_what_cannot_be_a_way_to_reach_somebody_is_told_at_its_field(alice, client, facts, said):
    page = sent(client, reverse("portal:contact"), **form(**facts))

    assert page.status_code == 422
    assert said in page.text


def test_a_birth_date_is_not_changed_through_here(alice):
    """Whoever sends it and by whatever door."""
    [patient] = in_chart(alice, "Patient")
    with pytest.raises(commands.InvalidResource) as refused:
        commands.submit(
            {**patient, "birthDate": "1990-01-01"},
            requester=own(alice),
            patient=alice,
            author=alice.user,
            channel="api",
            idempotency_scope="x",
            idempotency_key="x",
            target=f"Patient/{patient['id']}",
            base_version=patient["meta"]["versionId"],
        )

    assert [wrong.expression for wrong in refused.value.wrong] == ["Patient.birthDate"]
