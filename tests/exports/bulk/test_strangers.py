"""A23 and the limits: who is no service, asks for what is not theirs, too much, or too often."""

import json
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from exports import runs
from exports.bulk import ranges
from exports.models import ExportFile, ExportJob
from smart.models import Client
from tests import factories
from tests.exports.bulk.conftest import run
from tests.exports.bulk.service import ASYNC, Service, a_group, approved
from tests.fhirproxy.conftest import exceeded, issue, limit

__all__ = ["limit"]
pytestmark = pytest.mark.django_db
GROUP = "Group/diabetes-2026/$export"


@pytest.fixture
def addresses(service, export) -> list[str]:
    """Of all that there is: kick-offs, groups, a finished export and a file of it."""
    url = export(GROUP + "?_type=Patient")[0]["output"][0]["url"]
    return ["$export", "Patient/$export", GROUP, "Group", "Group/diabetes-2026", url, url.rpartition("/")[0]]


def test_without_a_token_that_lives_there_is_401(service, addresses):
    old = service.token(minutes=-1)
    for path in addresses:
        place = path.removeprefix("http://testserver") if "//" in path else f"/fhir/r4/{path}"
        assert Browser().get(place, headers=ASYNC).status_code == 401
        assert service.get(path, token="unknown-token").status_code == 401
        answer = service.get(path, token=old)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    refusals = AuditEvent.objects.filter(type="record:refuse", client=f"Client/{service.client.client_id}")
    assert {tuple(event.reasons) for event in refusals} == {("token.expired",)}
    assert refusals.count() == len(addresses)


def test_a_suspended_service_is_out_at_once(service, addresses):
    token = service.token()
    Client.objects.filter(pk=service.client.pk).update(status="suspended")
    assert {service.get(path, token=token).status_code for path in addresses} == {401}


def test_an_app_of_a_patients_learns_that_there_is_nothing(service, addresses, alice):
    token = issue(factories.create_consent(alice), scope="patient/*.rs system/*.rs")
    assert {service.get(path, token=token).status_code for path in addresses} == {404}


def test_a_stranger_gets_404_never_403(addresses):
    other = Service("Other")
    approved(other, a_group(factories.tom(), id="theirs"))

    mine = {"$export": 202, "Patient/$export": 429, "Group": 200}
    for path in addresses:
        status = mine.get(path, 404)
        if status != 404:
            continue
        answer = other.get(path)
        assert (answer.status_code, answer.json()["resourceType"]) == (404, "OperationOutcome")
    ids = [entry["resource"]["id"] for entry in other.get("Group").json()["entry"]]
    assert ids == ["theirs"]


@pytest.mark.parametrize(
    "name",
    [
        "Patient.2.ndjson",
        "Patient.0.ndjson",
        "Patient.ndjson",
        "patient.1.ndjson",
        "error.Patient.1.ndjson",
        "package.1.ndjson",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "Patient.1.ndjson%00",
        "lock",
    ],
)
def test_A23_no_name_leads_to_another_file(service, addresses, name):
    status = addresses[-1]
    assert service.get(f"{status}/{name}").status_code == 404


def test_A23_a_file_that_is_not_whole_is_not_there(service, addresses):
    ExportFile.objects.update(sha256="")
    assert service.get(addresses[-2]).status_code == 404
    ExportJob.objects.update(status="running")
    assert service.get(addresses[-2]).status_code == 404


def test_A23_a_token_whose_scopes_miss_the_type_is_refused(service, export):
    manifest, _ = export(GROUP + "?_type=Patient,Observation")
    urls = {item["type"]: item["url"] for item in manifest["output"]}

    for scope, patient, observation, status in [
        ("system/*.rs", 200, 200, 200),
        ("system/Patient.rs system/Observation.rs", 200, 200, 200),
        ("system/Patient.rs", 200, 403, 403),
        ("system/Patient.rs system/Observation.rs?category=laboratory", 200, 403, 403),
        ("system/Condition.rs", 403, 403, 403),
    ]:
        assert service.get(urls["Patient"], scope=scope).status_code == patient
        assert service.get(urls["Observation"], scope=scope).status_code == observation
        assert service.get(urls["Patient"].rpartition("/")[0], scope=scope).status_code == status


def test_a_narrow_scope_is_enough_for_what_it_was_exported_by(service, start):
    scope = "system/Observation.rs?category=laboratory"
    status = start(GROUP + "?_type=Observation", scope=scope)
    run()
    (item,) = service.get(status, scope=scope).json()["output"]
    assert service.get(item["url"], scope=scope).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (GROUP, {"prefer": ""}, 400),
        (GROUP, {"accept": "application/fhir+xml"}, 406),
        (GROUP + "?_type=Unicorn", {}, 400),
        (GROUP + "?_since=2099-01-01T00:00:00Z", {}, 400),
        (GROUP + "?_outputFormat=text/csv", {}, 400),
        (GROUP + "?nonsense=1", {}, 400),
        (GROUP + "?patient=Patient/1", {}, 400),
        ("Group/none/$export", {}, 404),
        ("Group/none", {}, 404),
        ("Group?favourite=yes", {}, 400),
    ],
)
def test_303_304_what_cannot_be_done_is_refused_as_an_operation_outcome(service, path, headers, status):
    answer = service.get(path, headers=headers)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/fhir+json")
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert not ExportJob.objects.exists()
    (event,) = AuditEvent.objects.filter(type="record:refuse")
    assert (event.client, event.reasons) == (f"Client/{service.client.client_id}", [f"request.{status}"])


def test_a_body_that_is_no_parameters_is_refused(service):
    def post(body: str, kind: str = "application/fhir+json"):
        return service.send("POST", GROUP, data=body, content_type=kind).status_code

    assert post("{}") == 400
    assert post("{", "application/json") == 400
    assert post("a=b", "application/x-www-form-urlencoded") == 415
    assert post(json.dumps({"x": "y" * 6_000_000})) == 413
    assert service.send("PUT", GROUP).status_code == 405
    assert service.send("DELETE", GROUP).status_code == 405


def test_a_service_with_enough_exports_waits_for_one(service, start, settings):
    settings.BULK_JOBS_PER_CLIENT = 1
    status = start()
    answer = service.get(GROUP)
    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)

    assert service.send("DELETE", status).status_code == 202
    assert service.get(GROUP).status_code == 202


def test_who_polls_too_fast_is_told_how_long_to_wait(service, start, limit):
    limit({"job.polls": 3})
    status = start()

    assert [service.get(status).status_code for _ in range(5)] == [202, 202, 202, 429, 429]
    refused = service.get(status)
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused.json()["issue"][0]["code"] == "throttled"
    (event,) = exceeded()
    assert (event.detail["budget"], event.client) == ("job.polls", f"Client/{service.client.client_id}")


def test_who_starts_too_many_is_told_to_ask_for_what_changed(service, limit):
    limit({"client.exports": 1})
    assert [service.get(GROUP).status_code for _ in range(2)] == [202, 429]


def test_the_groups_of_a_service_are_read_and_searched(service):
    group = service.get("Group/diabetes-2026").json()
    assert group == {
        **{"resourceType": "Group", "id": "diabetes-2026", "active": True},
        **{"type": "person", "actual": True, "name": "Diabetes 2026"},
    }

    def found(query: str) -> int:
        return len(service.get(f"Group{query}").json().get("entry", []))

    assert [found(q) for q in ("", "?_id=diabetes-2026", "?_id=x", "?name=diab", "?name=other")] == [
        *(1, 1, 0, 1, 0),
    ]
    assert service.get("Group", scope="system/Patient.rs").status_code == 403
    assert service.get("Group/diabetes-2026", scope="system/Patient.rs").status_code == 403


def test_a_group_that_waits_for_a_second_person_is_not_there(service, settings):
    settings.BULK_SECOND_PERSON_OVER = 1
    assert service.get(GROUP).status_code == 404
    approved(service, a_group(factories.tom(), id="small"))
    assert service.get(GROUP).status_code == 404
    assert service.get("Group/small/$export").status_code == 202


def test_what_is_never_fetched_ends_by_itself(service, export):
    from exports import tasks

    export()
    ExportJob.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    assert ExportJob.objects.get().status == "expired"
    assert AuditEvent.objects.filter(type="export:expire").count() == 1


def test_a_source_that_is_silent_is_asked_again_and_then_the_patient_is_named_in_no_file(
    service, start, monkeypatch
):
    from exports.bulk import source
    from fhirproxy.outcomes import EhrFailure

    plain, silent = source.exporting.read, []

    def read(requester, *rest, **more):
        silent[:] = silent or [requester.patient_id]
        if requester.patient_id == silent[0]:
            raise EhrFailure(502, "silent")
        return plain(requester, *rest, **more)

    monkeypatch.setattr(source.exporting, "read", read)
    status = start(GROUP + "?_type=Patient")
    for _ in range(5):
        ExportJob.objects.update(lease_until=None)
        runs.run(ExportJob.objects.get().pk)

    manifest = service.get(status).json()
    (error,) = manifest["error"]
    said = json.loads(b"".join(service.get(error["url"]).streaming_content))
    assert said["issue"][0]["diagnostics"].startswith("The records of 1 patients could not be had.")
    assert [item["count"] for item in manifest["output"]] == [1]
    (failed,) = AuditEvent.objects.filter(type="export:give", outcome="failed")
    assert failed.patient == f"Patient/{silent[0]}"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_has_it(header, part):
    assert ranges.parse(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20"])
def test_a_range_behind_the_end_cannot_be_satisfied(header):
    with pytest.raises(ranges.Unsatisfiable):
        ranges.parse(header, 10)


def test_a_row_that_nobody_approved_is_never_run(start):
    start()
    ExportJob.objects.update(approval=None)
    run()
    assert ExportJob.objects.get().status == "blocked"
