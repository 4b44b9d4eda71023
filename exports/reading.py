"""What stands in the files of a job: its lines, and to what they refer."""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator

from exports.models import ExportFile, ExportJob
from exports.writing import Reader

BUFFER = 1024 * 1024
REFERENCE = re.compile(
    rb'"reference"\s*:\s*"(?:[^"]*/)?([A-Z][A-Za-z]{1,39}/[A-Za-z0-9\-.]{1,64})(?:/_history/[^"]*)?"'
)


def opened(file: ExportFile, job: ExportJob) -> io.BufferedReader:
    """The content of a file that is whole. Raises sealing.Destroyed."""
    return io.BufferedReader(Reader(file, job.wrapped_key), BUFFER)


def lines(files: Iterable[ExportFile], job: ExportJob) -> Iterator[bytes]:
    """Each resource, without its line end."""
    for file in files:
        with opened(file, job) as content:
            for line in content:
                yield line.rstrip(b"\n")


def digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


def referred(files: Iterable[ExportFile], job: ExportJob, resource_type: str) -> list[str]:
    """Ids of that type that the files refer to, in order."""
    start = f"{resource_type}/".encode()
    found = {
        m[len(start) :].decode()
        for line in lines(files, job)
        for m in REFERENCE.findall(line)
        if m.startswith(start)
    }
    return sorted(found)
