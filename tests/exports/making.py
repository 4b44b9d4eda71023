"""Make downloads in a test, and look into them as whoever saved them would."""

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any

from django.utils import timezone

from exports import commands, reading, runs, states
from exports.models import ExportFile, ExportJob


def kickoff(patient, categories=(), include_sensitive=False, **choices) -> ExportJob:
    return commands.kickoff(
        patient=patient,
        by=choices.pop("by", patient.user),
        categories=categories,
        include_sensitive=include_sensitive,
        **choices,
    )


def made(job: ExportJob) -> ExportJob:
    """Run slice after slice, as the queue does, without its pauses."""
    for _ in range(50):
        runs.run(job.id)
        job.refresh_from_db()
        if job.status not in states.LIVING:
            return job
        free(job)
    raise AssertionError(f"it never ends: {job.status} at {job.position}")


def free(job: ExportJob) -> None:
    """As if the lease had run out."""
    ExportJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def package(job: ExportJob, *, is_private: bool = False) -> zipfile.ZipFile:
    file = job.files.get(kind=ExportFile.Kind.PACKAGE, is_private=is_private)
    with reading.opened(file, job) as content:
        return zipfile.ZipFile(BytesIO(content.read()))


def contents(job: ExportJob, *, is_private: bool = False) -> dict[str, list[dict[str, Any]]]:
    archive = package(job, is_private=is_private)
    return {
        name.removesuffix(".ndjson"): [json.loads(line) for line in archive.read(name).splitlines()]
        for name in archive.namelist()
        if name.endswith(".ndjson")
    }


def hashes(job: ExportJob) -> dict[tuple[str, int, bool], str]:
    outputs = job.files.filter(kind=ExportFile.Kind.OUTPUT)
    return {(f.resource_type, f.number, f.is_private): f.sha256 for f in outputs}
