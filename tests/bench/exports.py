"""P9 and P10: what an export of many costs against a bare COPY into a file, and the memory that it takes.

A worker of its own makes the export, as one of the queue does, but for the queue. Between the two stands what
the engine does without looking into a record (keyset COPY into sealed files), so that the price of a
decision can be read off.
"""

import base64
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts.models import Patient, PatientIdentity
from exports import commands, files, sealing
from exports.models import ExportFile, ExportJob
from exports.writing import Writer
from fhirproxy.models import Source
from fhirstore import export
from fhirstore.models import Resource
from smart.models import Client
from tests import factories
from tests.bench import store
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import DATABASE, Stack
from tests.exports.bulk.service import Service, a_group, approved

NAME = f"{DATABASE}_exports"
BAR = 1 / 0.25  # times the bare COPY, where each resource must be parsed
GOAL = 1 / 0.40
MOST_MEMORY = 150  # MB
FLAT = 1.1  # the last tenth of a run, by the first
TYPES = ["Condition", "Encounter", "Observation", "Patient"]
WORKER = """
import json, os, resource, sys, time
import django
django.setup()
import psutil
from uuid import UUID
from exports import commands, runs
from exports.models import ExportJob

take, memory, me = runs.Output.take, [], psutil.Process()

def taking(*args):
    take(*args)
    memory.append(me.memory_info().rss)

runs.Output.take, commands.enqueue = taking, lambda job_id: None
job = ExportJob.objects.get(pk=sys.argv[1])
began, start = time.monotonic(), time.process_time()
while job.status in ("queued", "preparing", "running", "packaging"):
    runs.run(job.id)
    job.refresh_from_db()
used = resource.getrusage(resource.RUSAGE_SELF)
wall, cpu = time.monotonic() - began, time.process_time() - start
told = {"status": job.status, "wall": wall, "cpu": cpu, "peak": used.ru_maxrss * 1024, "memory": memory}
print(json.dumps(told))
"""


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P9", "an export of many patients: resources a second, and CPU-µs of each")
    stack.fresh_database(NAME)
    store._turn_to(NAME)
    settings.EXPORT_FOLDER = Path(stack.var) / "exports"
    patients = max(1, sizes.exported // store.PER_PATIENT)
    store._import(stack, report, patients)
    job = _job(patients)
    there = Resource.objects.count()
    costs = {
        "bare COPY into a file": _cost(stack, lambda: _bare(stack)),
        "keyset COPY into sealed files": _cost(stack, lambda: _sealed(job)),
    }
    before = stack.cpu()["postgres"]
    worker = _worker(job)
    costs["bulk export"] = (worker["wall"], worker["cpu"], stack.cpu()["postgres"] - before)
    for name, (wall, own, theirs) in costs.items():
        report.rows.append(
            {
                "what": name,
                "resources/s": there / wall,
                "CPU-µs, worker": own / there * 1e6,
                "CPU-µs, PostgreSQL": theirs / there * 1e6,
                "× bare, wall": wall / costs["bare COPY into a file"][0],
            }
        )
    _judge(report, job, worker, costs)
    if not os.environ.get("NO_ATTACH"):
        _attach(report, sizes.attachment)
    store._turn_to(DATABASE)
    stack.drop_database(NAME)
    return report


def _judge(report: Report, job: ExportJob, worker: dict, costs: dict[str, tuple[float, ...]]) -> None:
    job.refresh_from_db()
    written = sum(job.files.filter(kind=ExportFile.Kind.OUTPUT).values_list("count", flat=True))
    exported = Resource.objects.filter(type__in=TYPES).count()
    report.check("resources that are not in the files", exported - written, 0, Kind.COUNT)
    report.check("jobs that did not complete", worker["status"] != "completed", 0, Kind.COUNT)
    bare, bulk = costs["bare COPY into a file"], costs["bulk export"]
    report.check("P9: a bulk export, × the bare COPY, wall", bulk[0] / bare[0], BAR, Kind.TIME)
    memory = worker["memory"]
    tenth = max(1, len(memory) // 10)
    first, last = (sum(part) / len(part) for part in (memory[:tenth], memory[-tenth:]))
    report.check("P10: memory of the worker at its most, MB", worker["peak"] / 2**20, MOST_MEMORY, Kind.TIME)
    report.check("P10: memory in the last tenth, × the first", last / first, FLAT, Kind.RATIO)


def _attach(report: Report, size: int) -> None:
    """What a letter of that many bytes adds to the memory of a worker that packs it for its patient."""
    patient = factories.create_patient("Attachment Patient")
    stem = factories.fhir_id(patient)
    binary = {"resourceType": "Binary", "id": f"{stem}-b", "contentType": "application/pdf"}
    attachment = {"contentType": "application/pdf", "url": f"Binary/{stem}-b"}
    document = {
        "resourceType": "DocumentReference",
        "id": f"{stem}-d",
        "status": "current",
        "subject": {"reference": f"Patient/{stem}"},
        "content": [{"attachment": attachment}],
    }
    content = base64.b64encode(os.urandom(size)).decode()
    factories.load_records(factories.patient_record(patient), document)
    path = settings.EXPORT_FOLDER.with_name("binary.ndjson")
    path.write_text(json.dumps(binary | {"data": content}) + "\n")
    call_command("fhirstore_load", path, stdout=io.StringIO())
    path.unlink()
    job = commands.kickoff(patient=patient, by=patient.user, categories=(), include_sensitive=False)
    worker = _worker(job)
    package = job.files.get(kind=ExportFile.Kind.PACKAGE)
    report.check("attachments that are not in the package", package.size < size, 0, Kind.COUNT)
    added = (worker["peak"] - worker["memory"][-1]) / 2**20
    report.check(f"P10: memory added by an attachment of {size / 2**20:.0f} MB, MB", added, 120, Kind.TIME)


def _job(patients: int) -> ExportJob:
    """An export of all of them by a service that was approved for it."""
    source, _ = Source.objects.get_or_create(
        is_primary=True, defaults={"slug": "embedded", "name": "Clinic", "kind": Source.Kind.EMBEDDED}
    )
    people = Patient.objects.bulk_create(
        Patient(name=f"Patient {n}", birth_date="1980-01-01") for n in range(patients)
    )
    PatientIdentity.objects.bulk_create(
        PatientIdentity(patient=person, source=source.slug, fhir_id=f"p{n}")
        for n, person in enumerate(people)
    )
    service = Service("Registry of the bench")
    approval = approved(service, a_group(*people))
    client = Client.objects.get(pk=service.client.pk)
    return ExportJob.objects.create(
        kind=ExportJob.Kind.BULK,
        client=client,
        approval=approval,
        scope="system/*.rs",
        resource_types=TYPES,
        request=f"http://bench/{uuid4()}",
    )


def _cost(stack: Stack, do: Callable[[], None]) -> tuple[float, float, float]:
    """Seconds by the clock, of CPU here, of CPU in PostgreSQL."""
    theirs, own, began = stack.cpu()["postgres"], time.process_time(), time.monotonic()
    do()
    wall = time.monotonic() - began
    return wall, time.process_time() - own, stack.cpu()["postgres"] - theirs


def _bare(stack: Stack) -> None:
    statement = "COPY (SELECT body FROM fhirstore_resource WHERE NOT deleted) TO STDOUT"
    with (Path(stack.var) / "bare.ndjson").open("wb") as out, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                out.write(block)
        out.flush()
        os.fsync(out.fileno())
    (Path(stack.var) / "bare.ndjson").unlink()


def _sealed(job: ExportJob) -> None:
    """What the engine does with lines, and nothing of what a decision costs."""
    key, files_of_it = sealing.new_key(job.id), {}
    files.make_folder(job.id)
    for kind, ndjson in export.stream(export.Selection(types=tuple(TYPES))):
        if kind not in files_of_it:
            files_of_it[kind] = Writer(ExportFile(job=job, resource_type=kind), key)
        files_of_it[kind].write(ndjson)
        files_of_it[kind].mark()
    for writer in files_of_it.values():
        writer.end()
        writer.close()
    files.destroy(job.id)


def _worker(job: ExportJob) -> dict:
    environment = os.environ | {
        "EXPORT_FOLDER": str(settings.EXPORT_FOLDER),
        "DATABASE_URL": os.environ["DATABASE_URL"].replace(f"/{DATABASE}?", f"/{NAME}?"),
    }
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(job.id)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
