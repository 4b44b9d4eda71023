"""A bulk export as the standard tells it: kick-off, status, manifest, files, deletion."""

import gzip
import hashlib
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from exports import commands
from exports.bulk import approvals
from exports.models import ExportJob
from tests import factories
from tests.exports.bulk.conftest import read, run
from tests.exports.bulk.service import Service, a_group, an_administrator, approved

pytestmark = pytest.mark.django_db
GROUP = "Group/diabetes-2026/$export"


def test_301_300_a_kickoff_is_accepted_and_says_where_to_ask(service):
    answer = service.get(GROUP)

    assert (answer.status_code, answer.content) == (202, b"")
    assert answer["Content-Location"].startswith("http://testserver/fhir/r4/bulk/")


def test_the_status_is_202_with_progress_until_the_manifest_is_there(service, start):
    status = start()
    waiting = service.get(status)
    assert (waiting.status_code, waiting.content) == (202, b"")
    assert len(waiting["X-Progress"]) <= 100
    assert 1 <= int(waiting["Retry-After"]) <= 60

    run()
    done = service.get(status)
    assert (done.status_code, done["Content-Type"]) == (200, "application/json")
    assert "Expires" in done


def test_a_manifest_has_what_the_standard_asks_for_and_files_are_of_one_type(export, alice, mallory):
    manifest, resources = export(GROUP + "?_type=Patient,Observation")

    assert set(manifest) == {
        *("transactionTime", "request", "requiresAccessToken", "output", "deleted", "error"),
    }
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"] == f"http://testserver/fhir/r4/{GROUP}?_type=Patient,Observation"
    assert timezone.datetime.fromisoformat(manifest["transactionTime"]).tzinfo
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    for kind, found in resources.items():
        assert {resource["resourceType"] for resource in found} == {kind}
    people = {factories.fhir_id(alice), factories.fhir_id(mallory)}
    assert {resource["id"] for resource in resources["Patient"]} == people
    assert len(resources["Observation"]) == 2


@pytest.mark.parametrize("path", ["$export", "Patient/$export"])
def test_at_the_other_levels_all_come_that_the_service_is_approved_for(export, path):
    assert len(export(path)[1]["Patient"]) == 2


def test_with_several_groups_the_one_of_everybody_is_meant_or_none(service, alice):
    other = a_group(alice, id="other")
    approved(service, other)

    assert service.get("Patient/$export").status_code == 400
    everybody = approvals.define(id="all", name="All", kind="rule", by=an_administrator())
    approved(service, everybody)
    assert service.get("Patient/$export").status_code == 202
    assert ExportJob.objects.get().approval.group == everybody


def test_a_kickoff_is_posted_as_parameters_and_names_patients(service, export, alice):
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Patient"},
            {"name": "patient", "valueReference": {"reference": f"Patient/{factories.fhir_id(alice)}"}},
        ],
    }
    manifest, resources = export(method="POST", data=json.dumps(body), content_type="application/fhir+json")

    assert manifest["request"] == f"http://testserver/fhir/r4/{GROUP}"
    assert [resource["id"] for resource in resources["Patient"]] == [factories.fhir_id(alice)]


def test_a_patient_who_is_not_in_the_group_is_refused_and_lenient_leaves_them_out(service, alice):
    stranger = factories.create_patient("Not In It")
    ids = [factories.fhir_id(alice), factories.fhir_id(stranger), "nobody"]
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "patient", "valueString": f"Patient/{one}"} for one in ids],
    }
    posted = {"data": json.dumps(body), "content_type": "application/fhir+json"}
    refused = service.send("POST", GROUP, **posted)
    assert (refused.status_code, "2 of those named" in refused.text) == (400, True)

    lenient = {"prefer": "respond-async, handling=lenient"}
    answer = service.send("POST", GROUP, headers=lenient, **posted)
    run()
    manifest = service.get(answer["Content-Location"]).json()
    (said,) = read(service, manifest, "error")["OperationOutcome"]
    assert "2 of those named" in said["issue"][0]["diagnostics"]
    assert len(read(service, manifest)["Patient"]) == 1


def test_since_and_until_are_about_the_last_change(export):
    long_ago = (timezone.now() - timedelta(days=1)).isoformat()
    later = (timezone.now() + timedelta(days=1)).isoformat()

    assert len(export(f"{GROUP}?_since={long_ago.replace('+', '%2B')}")[1]["Patient"]) == 2
    assert export(f"{GROUP}?_since={timezone.now().isoformat().replace('+', '%2B')}")[0]["output"] == []
    assert export(f"{GROUP}?_until={long_ago.replace('+', '%2B')}")[0]["output"] == []
    assert len(export(f"{GROUP}?_until={later.replace('+', '%2B')}")[1]["Patient"]) == 2


def test_filters_and_elements_narrow_what_comes(export, alice):
    weight = factories.lab_result(alice, f"{factories.fhir_id(alice)}-w", status="preliminary")
    factories.load_records(weight)
    path = f"{GROUP}?_type=Observation&_typeFilter=Observation%3Fstatus%3Dpreliminary&_elements=status"

    (found,) = export(path)[1]["Observation"]
    assert found["id"] == weight["id"]
    assert "valueQuantity" not in found
    assert "SUBSETTED" in json.dumps(found["meta"])


def test_a_file_has_its_hash_a_range_and_comes_packed(service, export):
    (item,) = export(GROUP + "?_type=Patient")[0]["output"]
    whole = service.get(item["url"])
    content = b"".join(whole.streaming_content)
    assert whole["Content-Type"] == "application/fhir+ndjson"
    assert (whole["Content-Length"], whole["Accept-Ranges"]) == (str(len(content)), "bytes")
    assert hashlib.sha256(content).hexdigest() == item["extension"]["sha256"]

    part = service.get(item["url"], headers={"range": "bytes=5-9"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, content[5:10])
    assert part["Content-Range"] == f"bytes 5-9/{len(content)}"
    end = service.get(item["url"], headers={"range": "bytes=-4"})
    assert b"".join(end.streaming_content) == content[-4:]
    other = service.get(item["url"], headers={"range": "bytes=5-9", "if-range": '"another"'})
    assert other.status_code == 200
    beyond = service.get(item["url"], headers={"range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{len(content)}")

    packed = service.get(item["url"], headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(packed.streaming_content)) == content
    head = service.send("HEAD", item["url"])
    assert (head.status_code, head["Content-Length"]) == (200, str(len(content)))


def test_A23_what_lies_on_disk_is_sealed(export, alice, tmp_path):
    export(GROUP)

    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert files
    for path in files:
        assert b"resourceType" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_305_306_an_export_is_deleted_and_not_there_any_more(service, start, export):
    status = start()
    assert service.send("DELETE", status).status_code == 202
    assert service.get(status).status_code == 404
    assert service.send("DELETE", status).status_code == 404
    run()
    assert ExportJob.objects.get().status == "cancelled"

    manifest, _ = export()
    url = manifest["output"][0]["url"]
    assert service.send("DELETE", url.rpartition("/")[0]).status_code == 202
    assert service.get(url).status_code == 404


def test_A23_after_its_time_an_export_is_gone(service, export):
    manifest, _ = export()
    url = manifest["output"][0]["url"]
    job = ExportJob.objects.get()
    ExportJob.objects.update(expires_at=timezone.now())
    assert (service.get(url).status_code, service.get(url.rpartition("/")[0]).status_code) == (410, 410)

    commands.expire(job)
    assert (service.get(url).status_code, service.get(url.rpartition("/")[0]).status_code) == (410, 410)
    assert not ExportJob.objects.get().wrapped_key


def test_A23_with_the_approval_the_files_go(service, export):
    manifest, _ = export()
    approvals.end(ExportJob.objects.get().approval, by=an_administrator())
    approved(service, a_group(factories.tom(), id="another"))

    assert service.get(manifest["output"][0]["url"]).status_code == 410
    assert ExportJob.objects.get().status == "blocked"


def test_a_group_of_nobody_has_a_manifest_of_nothing(service, export):
    approved(service, a_group(id="empty"))
    assert export("Group/empty/$export")[0]["output"] == []


def test_an_export_that_failed_says_so_by_500(service, start):
    status = start()
    commands.fail(ExportJob.objects.get(), "export.storage")

    answer = service.get(status)
    assert (answer.status_code, answer.json()["resourceType"]) == (500, "OperationOutcome")


def test_every_step_is_an_event_and_each_patient_has_one(service, export, alice, mallory):
    manifest, _ = export(GROUP + "?_type=Patient,Observation")

    def of(kind: str) -> list[AuditEvent]:
        return list(AuditEvent.objects.filter(type=kind).order_by("id"))

    (kickoff,) = of("export:kickoff")
    assert (kickoff.actor, kickoff.role, kickoff.purpose) == (
        *(f"Client/{service.client.client_id}", "client"),
        "HOPERAT",
    )
    given = of("export:give")
    assert {event.patient for event in given} == {f"Patient/{alice.pk}", f"Patient/{mallory.pk}"}
    assert {(event.outcome, event.count, tuple(event.resource_types)) for event in given} == {
        ("permit", 2, ("Observation", "Patient"))
    }
    assert len(given) == len(of("export:complete")) + 1 == 2
    downloads = of("export:download")
    assert sorted(event.detail["type"] for event in downloads) == ["Observation", "Patient"]
    assert {event.client for event in downloads} == {f"Client/{service.client.client_id}"}
    service.send("DELETE", manifest["output"][0]["url"].rpartition("/")[0])
    (cancel,) = of("export:cancel")
    assert cancel.actor == f"Client/{service.client.client_id}"


def test_another_service_gets_none_of_it(service, export, start, alice):
    manifest, _ = export()
    other = Service("Other")
    approved(other, ExportJob.objects.get().approval.group)

    url = manifest["output"][0]["url"]
    for method, path in [("GET", url), ("GET", url.rpartition("/")[0]), ("DELETE", url.rpartition("/")[0])]:
        assert other.send(method, path).status_code == 404
    assert ExportJob.objects.get().status == "completed"
