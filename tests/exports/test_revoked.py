"""F13: authority that ends while a file is made, or after: nothing more goes in, and what is there goes."""

import pytest
from django.test import Client

from accounts.relation_states import Why
from audit.models import AuditEvent
from consent import commands as consents
from consent import helper_rights, helping
from consent.fhir import RESOURCE_TYPES
from consent.versions import Act
from exports import files, runs
from exports.models import ExportJob
from tests import factories
from tests.exports.making import kickoff, made

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


@pytest.fixture
def relation(alice, amir):
    return factories.let_help(amir, alice, may_share=True)


@pytest.fixture
def job(alice, amir, relation) -> ExportJob:
    return kickoff(alice, sorted(helper_rights.categories_now(relation)), by=amir)


def run_until(job: ExportJob, chunk: int, then, monkeypatch) -> list[str]:
    """Run the job; `then` happens before this chunk is written. Which types went to disk."""
    written: list[str] = []
    take = runs.Output.take

    def taking(self, chunk_of_it, *steps):
        if len(written) == chunk:
            then()
        take(self, chunk_of_it, *steps)
        written.extend(place.resource_type for place in chunk_of_it.lines)

    monkeypatch.setattr(runs.Output, "take", taking)
    made(job)
    return written


def test_F13_help_that_ends_while_a_file_is_made_stops_it_at_the_next_chunk(
    job, alice, relation, monkeypatch, django_capture_on_commit_callbacks
):
    def end():
        helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")

    with django_capture_on_commit_callbacks(execute=True):
        written = run_until(job, 3, end, monkeypatch)

    assert len(written) == 3
    assert (job.status, job.wrapped_key, job.reason) == ("blocked", "", "consent.none")
    assert not files.folder(job.id).exists()
    assert AuditEvent.objects.filter(type="export:cancel", target=f"ExportJob/{job.id}").count() == 1


def test_F13_a_limit_that_she_asks_for_while_a_helpers_file_is_made_stops_it(
    job, alice, monkeypatch, django_capture_on_commit_callbacks
):
    """What is in the file by then was let out by what does not hold any more."""

    def limit():
        act = Act(by=alice.user, channel="portal", text_shown="", language="en")
        deny = {"type": "deny", "class": [{"system": RESOURCE_TYPES, "code": "Observation"}]}
        asked = consents.ask_restriction(patient=alice, provision=deny, act=act)
        consents.answer(asked, agreed=True, act=act)

    with django_capture_on_commit_callbacks(execute=True):
        written = run_until(job, 3, limit, monkeypatch)

    assert len(written) == 4  # that chunk had been decided already
    assert (job.status, job.reason) == ("blocked", "consent.changed")
    assert not files.folder(job.id).exists()


def test_F13_a_helpers_file_that_is_ready_goes_with_the_help(
    job, alice, amir, relation, django_capture_on_commit_callbacks
):
    assert made(job).status == "completed"
    with django_capture_on_commit_callbacks(execute=True):
        helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    job.refresh_from_db()

    assert (job.status, job.wrapped_key) == ("blocked", "")
    assert not files.folder(job.id).exists()


def test_F13_her_own_files_and_those_of_other_helpers_stay(
    job, alice, relation, django_capture_on_commit_callbacks
):
    own = made(kickoff(alice))
    with django_capture_on_commit_callbacks(execute=True):
        helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    browser = Client()
    browser.force_login(alice.user)

    assert browser.get(f"/downloads/{own.id}/file/").status_code == 200
    assert files.folder(own.id).exists()


def test_F13_leave_to_save_copies_that_is_taken_back_stops_the_file(job, relation):
    relation.may_share = False
    relation.save(update_fields=["may_share"])

    assert made(job).status == "blocked"
