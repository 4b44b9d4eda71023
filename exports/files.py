"""Where an export's files are: one folder a job, below EXPORT_FOLDER, named by the job's random id.

They are records in the clear, so that nobody but the account that serves them may look: folders are
0700 and files 0600, whatever the umask.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

ARCHIVE = "chartkey-records.zip"


def folder(job_id: UUID) -> Path:
    return Path(settings.EXPORT_FOLDER) / str(job_id)


def archive(job_id: UUID) -> Path:
    return folder(job_id) / ARCHIVE


def make_folder(job_id: UUID) -> Path:
    """The job's folder, made with whatever is missing above it. What is there above it stays as it is."""
    place = folder(job_id)
    for missing in reversed([p for p in (place, *place.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    return place


def create(path: Path) -> BinaryIO:
    """Open a file to be written from its beginning."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # it may be there, from a run that was killed
    return os.fdopen(descriptor, "wb")


def leave_only_archive(job_id: UUID) -> None:
    """Delete what the archive was made of."""
    for path in folder(job_id).glob("*"):
        if path.name != ARCHIVE:
            path.unlink(missing_ok=True)


def destroy(job_id: UUID) -> None:
    """Delete all files of a job. Nothing there is fine."""
    shutil.rmtree(folder(job_id), ignore_errors=True)
