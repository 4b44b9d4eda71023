"""Where the sealed files of exports are: one folder a job, below EXPORT_FOLDER, named by the job's random id.

What is written is always on this disk. With EXPORT_BUCKET a file moves to the S3-compatible store once it is
whole, so that any web server can hand it out. Folders are 0700 and files 0600, whatever the umask.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import structlog
from django.conf import settings

from exports import bucket, sealing
from exports.models import ExportFile
from exports.sealing import Destroyed

LOCK = "lock"
A_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
log = structlog.get_logger("chartkey.exports")


def folder(job_id: UUID) -> Path:
    return Path(settings.EXPORT_FOLDER) / str(job_id)


def folders() -> list[UUID]:
    """The jobs that have something on this disk."""
    place = Path(settings.EXPORT_FOLDER)
    return (
        [UUID(path.name) for path in place.iterdir() if A_JOB.fullmatch(path.name)] if place.exists() else []
    )


def path(file: ExportFile) -> Path:
    return folder(file.job_id) / str(file.id)


def make_folder(job_id: UUID) -> Path:
    """The job's folder, made with whatever is missing above it. What is there above it stays as it is."""
    place = folder(job_id)
    for missing in reversed([p for p in (place, *place.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    return place


@contextmanager
def locked(job_id: UUID) -> Iterator[bool]:
    """Whether nobody else on this disk works on the job: a run that lost its lease may still be writing."""
    descriptor = os.open(make_folder(job_id) / LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def append(file: ExportFile) -> BinaryIO:
    """Open it to be written; the caller says from where."""
    descriptor = os.open(path(file), os.O_RDWR | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)  # it may be there, from a run that was killed
    return os.fdopen(descriptor, "r+b")


def store(file: ExportFile) -> None:
    """Put a file that is whole to where it is handed out from."""
    if bucket.is_used() and path(file).exists():  # not where a run that was killed had done it
        bucket.put(_key(file), path(file))
        path(file).unlink()


def sealed(file: ExportFile) -> BinaryIO:
    """The sealed bytes of a file that is whole, to be read from any place. Raises Destroyed."""
    if bucket.is_used() and not path(file).exists():
        return bucket.opened(_key(file), sealing.sealed_size(file.size))
    try:
        return path(file).open("rb")
    except FileNotFoundError as error:
        raise Destroyed from error


def remove(file: ExportFile) -> None:
    """Delete one file. Nothing there is fine."""
    path(file).unlink(missing_ok=True)
    if bucket.is_used():
        bucket.delete(_key(file))


def destroy(job_id: UUID) -> None:
    """Delete all files of a job. Nothing there is fine; what a store keeps is noise without the key."""
    shutil.rmtree(folder(job_id), ignore_errors=True)
    if not bucket.is_used():
        return
    for file in ExportFile.objects.filter(job_id=job_id):
        try:
            bucket.delete(_key(file))
        except OSError:
            log.exception("export file not deleted", file=str(file.id))


def _key(file: ExportFile) -> str:
    return f"{file.job_id}/{file.id}"
