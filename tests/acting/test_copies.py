"""Files that a helper makes: of what they see, only with leave, and no more once their help has ended."""

import json
import zipfile
from io import BytesIO

import pytest
from django.test import Client

from accounts.relation_states import Why
from audit.models import AuditEvent
from consent import helping
from exports.models import ExportJob
from tests import factories
from tests.exports.making import made

pytestmark = pytest.mark.django_db
EVERYTHING = {"what": "all", "formats": "ndjson"}


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path / "exports"


@pytest.fixture
def alice():
    patient = factories.alice()
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
    factories.load_records(factories.lab_result(patient, "secret", meta={"security": [code]}))
    return patient


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


def begin(amir, relation) -> tuple[Client, str]:
    page = Client()
    page.force_login(amir)
    page.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    return page, f"/for/{relation.pk}"


def test_a_helpers_file_has_what_the_helper_sees(alice, amir):
    relation = factories.let_help(amir, alice, may_share=True)
    page, before = begin(amir, relation)
    form = page.get(f"{before}/downloads/new/").text
    assert "private topics in the file" not in form
    page.post(f"{before}/downloads/new/", {**EVERYTHING, "private": "on"})
    job = ExportJob.objects.get()
    made(job)
    file = page.get(f"{before}/downloads/{job.id}/file/")
    archive = zipfile.ZipFile(BytesIO(b"".join(file.streaming_content)))
    ids = [json.loads(line)["id"] for line in archive.read("Observation.ndjson").splitlines()]

    assert ids == [f"{factories.fhir_id(alice)}-ldl"]
    assert not job.include_sensitive
    row = AuditEvent.objects.get(type="export:kickoff")
    assert (row.role, row.on_behalf_of) == ("helper", f"Patient/{alice.pk}")


def test_without_leave_there_are_no_copies(alice, amir):
    page, before = begin(amir, factories.let_help(amir, alice))

    assert page.get(f"{before}/downloads/").status_code == 403
    assert page.post(f"{before}/downloads/new/", EVERYTHING).status_code == 403
    assert not ExportJob.objects.exists()


def test_a_file_under_way_stops_with_the_help(alice, amir):
    relation = factories.let_help(amir, alice, may_share=True)
    page, before = begin(amir, relation)
    page.post(f"{before}/downloads/new/", EVERYTHING)
    job = ExportJob.objects.get()
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    made(job)

    assert job.status == "blocked"
    assert page.get(f"{before}/downloads/{job.id}/file/").status_code in (403, 409)


def test_a_helper_does_not_get_the_patients_own_file(alice, amir):
    job = ExportJob.objects.create(patient=alice, requested_by=alice.user, resource_types=["Observation"])
    page, before = begin(amir, factories.let_help(amir, alice, may_share=True))

    assert page.get(f"{before}/downloads/{job.id}/").status_code == 404
    assert page.get(f"{before}/downloads/{job.id}/file/").status_code == 404
