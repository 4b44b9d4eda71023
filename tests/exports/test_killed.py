"""F1: a worker that is killed, at whatever moment, changes nothing of what the files hold."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection

from exports import runs
from exports.models import ExportJob
from tests import factories
from tests.exports.making import contents, free, hashes, kickoff, made
from tests.habits.rooms import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

RECORDS = 1200  # observations: seven pages
# A worker that says each chunk that it has written down. It dies by a signal from outside, and at "unmarked"
# before a chunk that is on disk already is written down.
WORKER = """
import sys
import django
django.setup()
from uuid import UUID
from exports import leases, runs

take, write = runs.Output.take, leases.write
count = 0

def said(self, chunk, *steps):
    global count
    take(self, chunk, *steps)
    count += 1
    print(count, flush=True)
    if count == int(sys.argv[2]) and sys.argv[3] == "marked":
        sys.stdin.readline()

def unsaid(job, **changes):
    if count == int(sys.argv[2]) and sys.argv[3] == "unmarked" and "position" in changes:
        print("here", flush=True)
        sys.stdin.readline()
    write(job, **changes)

runs.Output.take, leases.write = said, unsaid
runs.run(UUID(sys.argv[1]))
print("end", flush=True)
"""


@pytest.fixture
def alice(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path
    patient = factories.alice()
    stem = factories.fhir_id(patient)
    factories.load_records(*(factories.lab_result(patient, f"{stem}-n{n}") for n in range(RECORDS)))
    return patient


def worker(job: ExportJob, at: int, moment: str, settings) -> subprocess.Popen[str]:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EXPORT_FOLDER": str(settings.EXPORT_FOLDER),
        "DATABASE_URL": os.environ["DATABASE_URL"].replace(
            "/chartkey?", f"/{connection.settings_dict['NAME']}?"
        ),
    }
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(job.id), str(at), moment]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def killed(job: ExportJob, at: int, moment: str, settings) -> list[str]:
    """What the worker had said when it was killed."""
    last = str(at) if moment == "marked" else "here"
    with worker(job, at, moment, settings) as process:
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if said[-1] in (last, "end"):
                break
        process.send_signal(signal.SIGKILL)
    return said


def ids(job: ExportJob) -> Counter[str]:
    found = (one for records in contents(job).values() for one in records)
    return Counter(f"{one['resourceType']}/{one['id']}" for one in found)


@pytest.fixture
def whole(alice, monkeypatch) -> tuple[ExportJob, int]:
    """A run that nothing happens to, and of how many chunks it was."""
    taken, take = [], runs.Output.take
    with monkeypatch.context() as patched:
        patched.setattr(runs.Output, "take", lambda *args: taken.append(take(*args)))
        job = made(kickoff(alice))
    assert max(ids(job).values()) == 1
    assert len(ids(job)) > RECORDS
    return job, len(taken)


@pytest.mark.parametrize("moment", ["marked", "unmarked"])
@pytest.mark.parametrize("percent", [10, 50, 90])
def test_F1_a_worker_killed_on_the_way_leaves_the_same_files(alice, whole, settings, percent, moment):
    undisturbed, chunks = whole
    job = kickoff(alice)
    said = killed(job, chunks * percent // 100, moment, settings)
    assert "end" not in said
    free(job)

    assert made(job).status == "completed"
    assert hashes(job) == hashes(undisturbed)
    assert ids(job) == ids(undisturbed)


def test_F1_workers_that_are_killed_again_and_again_get_there(alice, whole, settings):
    """Each writes down one chunk, puts another on disk, and dies before it is written down."""
    undisturbed, chunks = whole
    job = kickoff(alice)
    for _ in range(8):
        free(job)
        killed(job, 1, "unmarked", settings)
    job.refresh_from_db()
    assert 0 < job.position["step"] < chunks

    free(job)
    assert made(job).status == "completed"
    assert hashes(job) == hashes(undisturbed)
