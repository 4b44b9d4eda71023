"""Downloads: what is in them, what is not, and what happens when something goes wrong half-way."""

import hashlib
import json
import os
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from consent.vocabulary import ACT_CODE, Category
from exports import commands, files, packages, runs, tasks
from exports.models import ExportFile, ExportJob
from fhirproxy import upstream
from notices.models import Notice
from tests import factories
from tests.exports.making import contents, free, hashes, kickoff, made, package

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


def test_a_download_holds_her_records_and_a_manifest_that_fits(alice):
    job = made(kickoff(alice))

    assert job.status == "completed"
    inside = contents(job)
    assert [r["id"] for r in inside["Observation"]] == [f"{factories.fhir_id(alice)}-ldl"]
    assert [r["id"] for r in inside["Patient"]] == [factories.fhir_id(alice)]
    archive = package(job)
    for output in job.manifest["output"]:
        body = archive.read(output["url"])
        assert output["count"] == len(body.splitlines())
        assert output["extension"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert AuditEvent.objects.filter(type="export:complete", target=f"ExportJob/{job.id}").exists()
    assert Notice.objects.filter(kind="export_ready").exists()


def test_private_topics_come_only_when_she_said_so_and_in_a_package_apart(alice):
    without, with_them = made(kickoff(alice)), made(kickoff(alice, include_sensitive=True))

    assert len(contents(without)["Observation"]) == 1
    assert hashes(with_them).items() >= hashes(without).items()
    assert [r["id"] for r in contents(with_them, is_private=True)["Observation"]] == [
        f"{factories.fhir_id(alice)}-private"
    ]
    assert contents(with_them, is_private=True).keys() == {"Observation"}
    assert contents(with_them) == contents(without)
    assert with_them.manifest["extension"]["private_topics"] is False
    assert json.loads(package(with_them, is_private=True).read("manifest.json"))["extension"][
        "private_topics"
    ]


def test_a_package_does_not_tell_that_there_is_one_of_private_topics(alice):
    """She may give the one to a clinic that must not know of the other."""
    without, with_them = made(kickoff(alice)), made(kickoff(alice, include_sensitive=True))

    told = [{**job.manifest["extension"], "expires": ""} for job in (without, with_them)]
    assert told[0] == told[1]
    assert package(without).read("README.txt") == package(with_them).read("README.txt")


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


def test_F1_a_worker_killed_before_the_packages_leaves_a_job_that_another_finishes(alice, monkeypatch):
    whole = hashes(made(kickoff(alice)))
    job = kickoff(alice)

    def killed(*args):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(packages, "make", killed)
        with pytest.raises(SystemExit):
            runs.run(job.id)
    runs.run(job.id)  # the lease of the dead worker still runs: nothing happens
    job.refresh_from_db()
    assert job.status == "packaging"

    free(job)
    assert made(job).status == "completed"
    assert hashes(job) == whole


def test_F7_two_workers_with_the_same_job_make_it_once(alice):
    job = made(kickoff(alice))
    file = job.files.get(kind="package")
    first = files.path(file).stat().st_mtime_ns
    runs.run(job.id)

    assert files.path(file).stat().st_mtime_ns == first
    assert AuditEvent.objects.filter(type="export:complete").count() == 1


def test_F7_a_job_that_ends_each_of_its_workers_is_given_up(alice, monkeypatch):
    job = kickoff(alice)

    def killed(*args):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(runs, "_prepare", killed)
        for _ in range(5):
            with pytest.raises(SystemExit):
                runs.run(job.id)
            free(job)
    runs.run(job.id)

    job.refresh_from_db()
    assert (job.status, job.reason) == ("failed", "export.worker")
    assert AuditEvent.objects.get(type="export:complete").outcome == "failed"


def test_F7_a_worker_that_was_taken_for_dead_changes_nothing_any_more(alice, monkeypatch):
    """It wakes up while another one works on the job: nothing of what it does is written down."""
    job = kickoff(alice)
    take = runs.Output.take

    def asleep(self, chunk, *steps):
        ExportJob.objects.filter(pk=job.pk).update(lease_holder="11111111-1111-4111-8111-111111111111")
        take(self, chunk, *steps)

    with monkeypatch.context() as patched:
        patched.setattr(runs.Output, "take", asleep)
        runs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.position["step"], job.files.count()) == ("running", 0, 0)
    assert files.folder(job.id).exists()

    free(job)
    assert made(job).status == "completed"


@pytest.fixture
def silent(monkeypatch):
    send = upstream.Embedded.send

    def flaky(self, request):
        if request.path == "Observation":
            raise upstream.UpstreamUnavailable("down")
        return send(self, request)

    with monkeypatch.context() as patched:
        patched.setattr(upstream.Embedded, "send", flaky)
        yield patched


@pytest.mark.usefixtures("silent")
def test_an_ehr_that_fails_half_way_leaves_a_gap_that_is_named(alice):
    job = made(kickoff(alice))

    assert job.status == "completed_with_gaps"
    assert {"what": "Observation", "why": "missing"} in job.manifest["extension"]["left_out"]
    assert "Observation" not in contents(job)
    assert "Observation" in package(job).read("README.txt").decode()


def test_an_ehr_that_answers_again_leaves_none(alice, silent):
    job = kickoff(alice)
    runs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.position["tries"]) == ("running", 1)
    assert job.lease_until > timezone.now()
    runs.run(job.id)  # too early
    silent.undo()
    free(job)

    assert made(job).status == "completed"
    assert len(contents(job)["Observation"]) == 1


def test_a_stopped_download_is_gone(alice, django_capture_on_commit_callbacks):
    job = made(kickoff(alice))
    with django_capture_on_commit_callbacks(execute=True):
        commands.cancel(job, by=alice.user)
        commands.cancel(job, by=alice.user)

    job.refresh_from_db()
    assert not files.folder(job.id).exists()
    assert job.wrapped_key == ""
    assert AuditEvent.objects.filter(type="export:cancel").count() == 1


def test_a_download_that_is_stopped_while_it_is_made_leaves_nothing(alice, monkeypatch):
    job = kickoff(alice)
    take = runs.Output.take

    def stopped(self, chunk, *steps):
        if any(place.resource_type == "Observation" for place in chunk.lines):
            commands.cancel(job, by=alice.user)
        take(self, chunk, *steps)

    monkeypatch.setattr(runs.Output, "take", stopped)
    assert made(job).status == "cancelled"
    assert not files.folder(job.id).exists()


def test_what_a_killed_worker_left_of_a_stopped_download_is_swept_up(alice):
    job = kickoff(alice)
    commands.cancel(job, by=alice.user)
    (files.make_folder(job.id) / "part").touch()
    tasks.sweep()

    assert not files.folder(job.id).exists()


def test_a_download_whose_time_is_over_is_destroyed(alice, django_capture_on_commit_callbacks):
    job = made(kickoff(alice))
    ExportJob.objects.filter(pk=job.pk).update(expires_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()

    job.refresh_from_db()
    assert (job.status, job.wrapped_key) == ("expired", "")
    assert not files.folder(job.id).exists()


def test_a_closed_account_gets_nothing(alice):
    job = kickoff(alice)
    alice.user.is_active = False
    alice.user.save()

    assert made(job).status == "blocked"
    assert not job.files.filter(kind="package").exists()


def test_a_disk_that_fills_ends_the_job_by_name_and_leaves_nothing(
    alice, monkeypatch, django_capture_on_commit_callbacks
):
    job = kickoff(alice)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with django_capture_on_commit_callbacks(execute=True):
        made(job)

    assert (job.status, job.reason, job.wrapped_key) == ("failed", "export.disk-full", "")
    assert not files.folder(job.id).exists()


def test_files_that_another_machine_has_are_made_again(alice, monkeypatch):
    whole = hashes(made(kickoff(alice)))
    job = kickoff(alice)
    monkeypatch.setattr(runs, "SLICE", -1.0)
    for _ in range(5):
        runs.run(job.id)
        free(job)
    for file in job.files.all():
        files.path(file).unlink()
    monkeypatch.setattr(runs, "SLICE", 60.0)

    assert made(job).status == "completed"
    assert hashes(job) == whole


def mode(path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_A23_nobody_else_on_the_machine_can_look_at_a_download(alice, settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path / "srv" / "exports"
    job = kickoff(alice)
    files.folder(job.id).mkdir(mode=0o755, parents=True)  # as something else left it
    made(job)

    assert mode(files.folder(job.id)) == 0o700
    assert {mode(path) for path in files.folder(job.id).iterdir()} == {0o600}


def test_A23_nothing_of_a_record_is_on_disk_in_the_clear_at_any_time(alice, monkeypatch):
    """Neither while it is made nor when it is ready; not in the table's own begun ends either."""
    seen = []
    take = runs.Output.take

    def look(self, chunk, *steps):
        take(self, chunk, *steps)
        seen.extend(path.read_bytes() for path in files.folder(job.id).iterdir())
        seen.extend(bytes(tail) for tail in job.files.values_list("tail", flat=True))

    monkeypatch.setattr(runs.Output, "take", look)
    job = kickoff(alice, formats=["ndjson", "csv"])
    made(job)
    seen += [path.read_bytes() for path in files.folder(job.id).iterdir()]

    assert sum(map(len, seen)) > 1000
    assert not [part for part in seen if re.search(rb"resourceType|Moreno|PK\x03\x04", part)]


def test_A23_when_a_download_is_ready_its_packages_are_all_there_is(alice):
    job = made(kickoff(alice, include_sensitive=True))

    packages_of_it = {str(f.id) for f in job.files.filter(kind=ExportFile.Kind.PACKAGE)}
    assert len(packages_of_it) == 2
    assert {path.name for path in files.folder(job.id).iterdir()} - {files.LOCK} == packages_of_it


def test_dates_choose_what_happened_then_and_what_has_no_date_comes_along(alice):
    long_ago = timezone.now() - timedelta(days=40000)
    job = made(kickoff(alice, until=long_ago))

    assert contents(job)["Observation"] == []
    assert len(contents(job)["Patient"]) == 1
