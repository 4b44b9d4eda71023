"""What comes along with records: Provenance, people, places and medicines once, and attachments inside."""

import base64
import json
from types import SimpleNamespace

import pytest

from exports import runs
from exports.bulk import source
from exports.models import ExportJob, SharedLine
from tests import factories
from tests.exports.bulk.conftest import run

pytestmark = pytest.mark.django_db
GROUP = "Group/diabetes-2026/$export"
TEXT = base64.b64encode(b"The visit went well.").decode()


@pytest.fixture
def records(alice, mallory):
    """Both see one practitioner; Alice has a medicine by reference, a document and its Binary."""
    mine, hers = factories.fhir_id(alice), factories.fhir_id(mallory)
    practitioner = {"resourceType": "Practitioner", "id": f"dr-{mine}", "name": [{"family": "Osei"}]}
    performer = [{"reference": f"Practitioner/dr-{mine}"}]
    subject = {"reference": f"Patient/{mine}"}
    medicine = {"resourceType": "Medication", "id": f"m-{mine}", "code": {"text": "Metformin"}}
    order = {
        "resourceType": "MedicationRequest",
        "id": f"o-{mine}",
        "status": "active",
        "intent": "order",
        "subject": subject,
        "medicationReference": {"reference": f"Medication/m-{mine}"},
    }
    binary = {"resourceType": "Binary", "id": f"b-{mine}", "contentType": "text/plain", "data": TEXT}
    document = {
        "resourceType": "DocumentReference",
        "id": f"d-{mine}",
        "status": "current",
        "subject": subject,
        "content": [{"attachment": {"contentType": "text/plain", "url": f"Binary/b-{mine}", "size": 20}}],
    }
    factories.load_records(
        *(practitioner, medicine, order, binary, document),
        factories.lab_result(alice, f"{mine}-p", performer=performer),
        factories.lab_result(mallory, f"{hers}-p", performer=performer),
    )
    provenance = {
        "resourceType": "Provenance",
        "id": f"p-{mine}",
        "target": [{"reference": f"Observation/{mine}-p"}],
        "recorded": "2026-03-02T08:20:00Z",
        "agent": [{"who": {"reference": f"Practitioner/dr-{mine}"}}],
    }
    factories.load_records(provenance)
    return SimpleNamespace(mine=mine, hers=hers)


def ids(found) -> list[str]:
    return sorted(one["id"] for one in found)


def test_what_two_patients_refer_to_comes_once(export, records, monkeypatch):
    monkeypatch.setattr(source, "BATCH", 1)
    resources = export()[1]

    assert ids(resources["Practitioner"]) == [f"dr-{records.mine}"]
    assert ids(resources["Medication"]) == [f"m-{records.mine}"]
    assert ids(resources["Provenance"]) == [f"p-{records.mine}"]
    assert not SharedLine.objects.exists()


def test_a_run_that_was_killed_before_they_were_on_disk_brings_them_again(
    service, start, records, monkeypatch
):
    start()
    plain, died = runs.Output.take, []

    def take(self, chunk, *rest):
        if not died:
            died.append(chunk)
            raise KeyboardInterrupt
        plain(self, chunk, *rest)

    monkeypatch.setattr(runs.Output, "take", take)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert SharedLine.objects.exists()
    ExportJob.objects.update(lease_until=None)
    runs.run(ExportJob.objects.get().pk)

    counts = {file.resource_type: file.count for file in ExportJob.objects.get().files.all()}
    assert (counts["Practitioner"], counts["Medication"]) == (1, 1)


def test_types_that_were_not_asked_for_do_not_come_along(export, records):
    resources = export(GROUP + "?_type=Observation,Patient")[1]
    assert set(resources) == {"Observation", "Patient"}
    assert set(export(GROUP + "?_type=Observation,Practitioner")[1]) == {"Observation", "Practitioner"}


def test_only_what_is_nobodys_own_cannot_be_exported_alone(service, records):
    assert service.get(GROUP + "?_type=Practitioner,Medication").status_code == 400


def test_213_an_attachment_stands_in_its_document(export, records):
    (document,) = export()[1]["DocumentReference"]

    (content,) = document["content"]
    assert content["attachment"] == {"contentType": "text/plain", "size": 20, "data": TEXT}


def test_an_attachment_that_may_not_be_read_loses_its_link(export, records):
    """Another patient's private document points to the same Binary."""
    factories.load_records(
        {
            "resourceType": "DocumentReference",
            "id": f"d-{records.hers}",
            "status": "current",
            "subject": {"reference": f"Patient/{records.hers}"},
            "content": [{"attachment": {"url": f"Binary/b-{records.mine}"}}],
        }
    )
    found = export()[1]["DocumentReference"]

    assert len(found) == 2
    for document in found:
        assert set(document["content"][0]["attachment"]) <= {"contentType", "size"}
    assert TEXT not in json.dumps(found)
