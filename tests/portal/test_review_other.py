"""A clinician accepts nothing that they have not seen: whatever is proposed stands on the page, all of it."""

import pytest
from django.urls import reverse

from fhirproxy.models import WriteCommand
from portal import proposed
from tests import factories
from tests.writes.conftest import let_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    """A medicine that an app proposes, and the clinician who treats the patient."""
    alice = factories.alice()
    osei = factories.dr_osei(treats=[alice])
    medicine = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": "Ginkgo"},
        "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
        "note": [{"text": "twice a day"}, {"text": "since May"}],
    }
    allergy = {
        "resourceType": "AllergyIntolerance",
        "patient": {"reference": f"Patient/{factories.fhir_id(alice)}"},
        "code": {"text": "Nuts"},
    }
    app = let_in(alice)
    assert {app.post(each).status_code for each in (medicine, allergy)} == {202}
    return alice, osei


def test_the_queue_names_what_it_is(client, sent):
    client.force_login(sent[1])

    page = client.get(reverse("portal:review")).content.decode()

    assert "Ginkgo" in page
    assert "Nuts" in page
    assert "blood pressure" not in page


def test_all_that_would_be_written_is_on_the_page(client, sent):
    client.force_login(sent[1])
    command = WriteCommand.objects.get(resource_type="MedicationStatement")

    page = client.get(reverse("portal:review-item", args=[command.pk])).content.decode()

    for said in ("Ginkgo", "twice a day", "since May", "Acme sent this for Alice Moreno"):
        assert said in page
    assert "None" not in page


def test_the_patient_sees_what_was_sent(client, sent):
    client.force_login(sent[0].user)

    page = client.get(reverse("portal:add")).content.decode()

    assert "Ginkgo" in page
    assert "None over None" not in page


def test_lines_tell_what_an_update_changes():
    before = {"resourceType": "X", "id": "1", "status": "a", "note": [{"text": "x"}]}

    assert proposed.lines(before | {"status": "b"}, before) == [("Status", "b", "a")]
    assert proposed.lines({"resourceType": "X"}, before) == [("Status", "", "a"), ("Note, text", "", "x")]
