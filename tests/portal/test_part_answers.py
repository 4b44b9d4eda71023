"""An EHR that gives a part and says so: a page shows the part, and never as the whole."""

import pytest

from fhirproxy.models import LastCopy
from portal import records
from tests.ehr.conftest import _fake_process, fake  # noqa: F401  (fixtures)
from tests.ehr.mischief import bundle
from tests.portal.lakeside import NAME, Lakeside, link
from tests.portal.test_sources import text_of

pytestmark = pytest.mark.django_db(transaction=True)
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}


@pytest.fixture
def lakeside(alice, fake, settings) -> Lakeside:  # noqa: F811
    settings.PAGE_DEADLINE = 30
    return link(alice, fake)


def in_part(lakeside: Lakeside, client) -> None:
    """What it has of medicines, as a part, and without a copy of an earlier answer."""
    medicine = {
        "resourceType": "MedicationRequest",
        "id": "part-1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Partial 5 mg tablet"},
        "subject": {"reference": f"Patient/{lakeside.patient.identities.get(source='lakeside').fhir_id}"},
    }
    lakeside.misbehaves("/MedicationRequest", status=200, body=bundle(medicine, FAILED).decode())


def test_the_part_is_shown_and_that_it_is_one(lakeside, client):
    in_part(lakeside, client)

    text = text_of(client, "/medicines/")

    assert "Partial 5 mg tablet" in text
    assert f"{NAME} did not give us everything." in text


def test_a_part_is_kept_as_no_copy_of_the_whole(lakeside, client):
    client.get("/medicines/")
    before = {copy.pk: copy.content for copy in LastCopy.objects.all()}
    in_part(lakeside, client)

    client.get("/medicines/")

    after = {copy.pk: copy.content for copy in LastCopy.objects.all()}
    assert set(after) == set(before)
    assert len({pk for pk in before if after[pk] == before[pk]}) == 1  # that of the search for medicines


def test_with_nothing_in_it_the_list_is_not_called_empty(lakeside, client):
    lakeside.misbehaves("/Immunization", status=200, body=bundle(FAILED).decode())

    text = text_of(client, "/vaccines/")

    assert f"{NAME} did not give us everything." in text or f"{NAME} did not answer." in text


def test_a_list_without_an_end_is_not_called_whole(lakeside, client, monkeypatch):
    monkeypatch.setattr(records, "MOST_PAGES", 0)

    page = client.get("/medicines/")

    assert page.status_code == 503
    assert 'class="empty' not in page.text
