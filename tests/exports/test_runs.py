"""Downloads: what is in them, what is not, and what happens when something goes wrong half-way."""

import hashlib
import json
import os
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from consent.vocabulary import ACT_CODE, Category
from exports import commands, files, runs, tasks
from exports.models import ExportJob
from fhirproxy import upstream
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db

SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path


@pytest.fixture
def alice():
    patient = factories.alice()
    private = factories.lab_result(patient, f"{factories.fhir_id(patient)}-private", meta=SUD)
    factories.load_records(private)
    return patient


def kickoff(patient, categories=(), include_sensitive=False) -> ExportJob:
    return commands.kickoff(
        patient=patient,
        by=patient.user,
        categories=categories,
        include_sensitive=include_sensitive,
    )


def made(job: ExportJob) -> ExportJob:
    runs.run(job.id)
    job.refresh_from_db()
    return job


def contents(job: ExportJob) -> dict[str, list[dict]]:
    with zipfile.ZipFile(files.archive(job.id)) as archive:
        return {
            name.removesuffix(".ndjson"): [json.loads(line) for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".ndjson")
        }


def test_a_download_holds_her_records_and_a_manifest_that_fits(alice):
    job = made(kickoff(alice))

    assert job.status == "completed"
    inside = contents(job)
    assert [r["id"] for r in inside["Observation"]] == [f"{factories.fhir_id(alice)}-ldl"]
    assert [r["id"] for r in inside["Patient"]] == [factories.fhir_id(alice)]
    with zipfile.ZipFile(files.archive(job.id)) as archive:
        for output in job.manifest["output"]:
            body = archive.read(output["url"])
            assert output["count"] == len(body.splitlines())
            assert output["extension"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert AuditEvent.objects.filter(type="export:complete", target=f"ExportJob/{job.id}").exists()
    assert Notice.objects.filter(kind="export_ready").exists()


def test_private_topics_come_only_when_she_said_so(alice):
    without, with_them = made(kickoff(alice)), made(kickoff(alice, include_sensitive=True))

    assert len(contents(without)["Observation"]) == 1
    assert len(contents(with_them)["Observation"]) == 2
    assert without.manifest["extension"]["includes_private_topics"] is False


def test_a_kind_that_she_did_not_choose_stays_out(alice):
    job = made(kickoff(alice, [Category.VITAL_SIGNS, Category.DEMOGRAPHICS]))

    assert contents(job)["Observation"] == []
    assert len(contents(job)["Patient"]) == 1


def test_nobody_elses_record_is_in_it(alice):
    factories.mallory()
    job = made(kickoff(alice))

    assert "Quinn" not in json.dumps(contents(job))


def test_a_third_download_at_once_waits(alice):
    kickoff(alice)
    kickoff(alice)
    with pytest.raises(commands.TooMany):
        kickoff(alice)


def test_F1_a_killed_worker_leaves_a_job_that_another_finishes_with_the_same_files(alice, monkeypatch):
    whole = {f.resource_type: f.sha256 for f in made(kickoff(alice)).files.all()}
    job = kickoff(alice)
    package = runs._package

    def killed(*args):
        raise SystemExit

    monkeypatch.setattr(runs, "_package", killed)
    with pytest.raises(SystemExit):
        runs.run(job.id)
    monkeypatch.setattr(runs, "_package", package)
    runs.run(job.id)  # the lease of the dead worker still runs: nothing happens
    job.refresh_from_db()
    assert job.status == "running"

    ExportJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert made(job).status == "completed"
    assert {f.resource_type: f.sha256 for f in job.files.all()} == whole


def test_F7_two_workers_with_the_same_job_make_it_once(alice):
    job = made(kickoff(alice))
    first = files.archive(job.id).stat().st_mtime_ns
    runs.run(job.id)

    assert files.archive(job.id).stat().st_mtime_ns == first


def test_an_ehr_that_fails_half_way_leaves_a_gap_that_is_named(alice, monkeypatch):
    send = upstream.Embedded.send

    def flaky(self, request):
        if request.path == "Observation":
            raise upstream.UpstreamUnavailable("down")
        return send(self, request)

    monkeypatch.setattr(upstream.Embedded, "send", flaky)
    job = made(kickoff(alice))

    assert job.status == "completed_with_gaps"
    assert job.manifest["extension"]["missing"] == ["Observation"]
    assert "Observation" not in contents(job)


def test_a_stopped_download_is_gone(alice, django_capture_on_commit_callbacks):
    job = made(kickoff(alice))
    with django_capture_on_commit_callbacks(execute=True):
        commands.cancel(job, by=alice.user)
        commands.cancel(job, by=alice.user)

    assert not files.folder(job.id).exists()
    assert AuditEvent.objects.filter(type="export:cancel").count() == 1


def test_a_download_whose_time_is_over_is_destroyed(alice, django_capture_on_commit_callbacks):
    job = made(kickoff(alice))
    ExportJob.objects.filter(pk=job.pk).update(expires_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()

    job.refresh_from_db()
    assert job.status == "expired"
    assert not files.folder(job.id).exists()


def test_a_closed_account_gets_nothing(alice):
    job = kickoff(alice)
    alice.user.is_active = False
    alice.user.save()

    assert made(job).status == "blocked"
    assert not files.archive(job.id).exists()


def mode(path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_A23_nobody_else_on_the_machine_can_read_a_download(alice, settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path / "srv" / "exports"
    job = made(kickoff(alice))

    folders = [files.folder(job.id), tmp_path / "srv" / "exports", tmp_path / "srv"]
    assert [mode(folder) for folder in folders] == [0o700] * 3
    assert mode(files.archive(job.id)) == 0o600


@pytest.mark.usefixtures("open_umask")
def test_A23_nor_what_it_is_made_of(alice, monkeypatch):
    job = kickoff(alice)
    files.folder(job.id).mkdir(mode=0o755)  # as a run of an earlier version left it
    (files.folder(job.id) / "Patient.ndjson").touch(0o644)
    monkeypatch.setattr(runs, "_package", lambda *_: None)
    runs.run(job.id)

    parts = list(files.folder(job.id).iterdir())
    assert len(parts) == len(job.resource_types)
    assert {mode(part) for part in parts} == {0o600}
    assert mode(files.folder(job.id)) == 0o700


def test_A23_when_a_download_is_ready_its_archive_is_all_there_is(alice):
    job = made(kickoff(alice))

    assert list(files.folder(job.id).iterdir()) == [files.archive(job.id)]
