"""Where an export's files are: one folder a job, below EXPORT_FOLDER, named by the job's random id."""

import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings

ARCHIVE = "chartkey-records.zip"


def folder(job_id: UUID) -> Path:
    return Path(settings.EXPORT_FOLDER) / str(job_id)


def archive(job_id: UUID) -> Path:
    return folder(job_id) / ARCHIVE


def destroy(job_id: UUID) -> None:
    """Delete all files of a job. Nothing there is fine."""
    shutil.rmtree(folder(job_id), ignore_errors=True)
