"""Make an export, slice by slice: chunks from its source, each on disk before the next is asked for.

Safe to run twice and to kill at any moment: a worker holds the job by a lease (`leases`), what counts is what
the rows say, and a file goes on where its row says that it stood.
"""

import errno
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction

from consent.decision import Reason
from exports import commands, files, leases, personal, sealing, states
from exports.bulk.source import Bulk
from exports.leases import Stopped
from exports.models import ExportFile, ExportJob
from exports.sealing import Destroyed
from exports.sources import Blocked, Chunk, Gap, Later, Place, Source, Unanswered
from exports.writing import Lost, Writer
from fhirproxy.exporting import Block

Kind, Status = ExportJob.Kind, ExportJob.Status
SOURCES: Mapping[str, type[Source]] = {Kind.PERSONAL: personal.Personal, Kind.BULK: Bulk}
LARGEST = 256 * 1024 * 1024  # bytes of a client's file, after which the next one begins
SLICE = 60.0  # seconds, far below the broker's visibility timeout
PAUSES = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=5))  # before a source is asked again
log = structlog.get_logger("chartkey.exports")


def run(job_id: UUID) -> None:
    """Carry an export on from where it stands, for one slice."""
    job = leases.take(job_id)
    if job is None:
        return
    with files.locked(job.id) as is_free:
        if not is_free:  # a worker that was taken for dead still writes here
            leases.give_back(job, leases.LEASE)
            return
        try:
            _carry_on(job)
        except Stopped:
            _sweep_up(job)
        except Blocked as blocked:
            commands.block(job, str(blocked) or Reason.NO_CONSENT)
        except OSError as error:
            reason = "export.disk-full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "export.storage"
            log.exception("export could not be stored", job=str(job.id), reason=reason)
            commands.fail(job, reason)


def _carry_on(job: ExportJob) -> None:
    if job.attempts > leases.MOST_ATTEMPTS:
        commands.fail(job, "export.worker")
        return
    source = SOURCES[job.kind](job)
    if job.status == Status.PREPARING:
        _prepare(job, source)
    try:
        if _take_slice(job, source):
            _finish(job, source)
    except Later as later:
        leases.write(job, attempts=0)
        leases.give_back(job, timedelta(seconds=later.seconds))
    except Unanswered as unanswered:
        _wait_or_leave_out(job, unanswered.gap)
    except (Lost, Destroyed):
        _begin_anew(job, source)


def _prepare(job: ExportJob, source: Source) -> None:
    key = job.wrapped_key or sealing.new_key(job.id)
    leases.write(job, status=Status.RUNNING, position=source.prepare(), wrapped_key=key)


def _take_slice(job: ExportJob, source: Source) -> bool:
    """Whether the source has no more; otherwise the queue has the next slice."""
    until = time.monotonic() + SLICE
    if job.status == Status.PACKAGING:
        return True
    with Output(job) as output:
        for chunk in source.chunks():
            output.take(chunk, *source.steps())
            if time.monotonic() > until:
                leases.give_back(job)
                commands.enqueue(job.id)
                return False
        output.end()
    leases.write(job, status=Status.PACKAGING, attempts=0)
    return True


class Output:
    """The files of a run, of which some are open."""

    def __init__(self, job: ExportJob) -> None:
        self._job = job
        self._open: dict[Place, Writer] = {}
        self._files = {Place.of(file): file for file in job.files.exclude(kind=ExportFile.Kind.PACKAGE)}

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.close()

    def take(self, chunk: Chunk, done: int, of: int) -> None:
        """Write a chunk to disk, then write down that it is there. Raises Stopped and OSError."""
        job = self._job
        writers = [self._write(place, lines, chunk) for place, lines in chunk.lines.items()]
        count = sum(_count(lines) for lines in chunk.lines.values())
        progress = {"done": job.progress.get("done", 0) + count, "steps": done, "of": of}
        if chunk.estimate is not None:
            progress["estimate"] = chunk.estimate
        with transaction.atomic():
            leases.write(job, position=dict(chunk.position), progress=progress, attempts=0)
            for writer in writers:
                writer.file.save()
        for writer in writers:
            if writer.file.sha256:
                self._open.pop(Place.of(writer.file)).close()

    def end(self) -> None:
        """Every file that was begun is whole now, also one that an earlier run began."""
        for place, file in self._files.items():
            if file.sha256:
                continue
            writer = self._open.pop(place, None) or Writer(file, self._job.wrapped_key)
            writer.end()
            with transaction.atomic():
                leases.write(self._job)
                file.save()
            writer.close()

    def _write(self, place: Place, lines: Sequence[bytes | Block], chunk: Chunk) -> Writer:
        writer = self._writer(self._with_room(place), anew=chunk.is_first)
        for line in lines:
            writer.write(line.bodies if isinstance(line, Block) else line)
            writer.write(b"\n")
        writer.file.count += _count(lines)
        writer.end() if chunk.is_last or self._is_full(writer.tell()) else writer.mark()
        return writer

    def _with_room(self, place: Place) -> Place:
        """A client's files have no more than LARGEST and a chunk: the next lines begin the next file."""
        while (file := self._files.get(place)) and file.sha256 and self._is_full(file.size):
            place = place._replace(number=place.number + 1)
        return place

    def _is_full(self, size: int) -> bool:
        return self._job.kind == Kind.BULK and size >= LARGEST

    def _writer(self, place: Place, *, anew: bool) -> Writer:
        file = self._files.get(place)
        if file and anew:
            file.count, file.size, file.sha256, file.tail = 0, 0, "", b""
            if place in self._open:
                self._open.pop(place).close()
        if file is None:
            file = self._files[place] = ExportFile(job=self._job, **place._asdict())
        if place not in self._open:
            self._open[place] = Writer(file, self._job.wrapped_key)
        return self._open[place]


def _count(lines: Sequence[bytes | Block]) -> int:
    return sum(line.count if isinstance(line, Block) else 1 for line in lines)


def _wait_or_leave_out(job: ExportJob, gap: Gap) -> None:
    """Ask again later; when that was often enough, do without that file and say so."""
    tries = job.position.get("tries", 0)
    if tries < len(PAUSES):
        leases.write(job, position={**job.position, "tries": tries + 1})
        leases.give_back(job, PAUSES[tries])
        return
    for file in job.files.filter(**gap.place._asdict()):
        files.remove(file)
        file.delete()
    left_out = [*job.left_out, {"what": gap.place.resource_type, "why": gap.why, "number": gap.place.number}]
    leases.write(job, position=dict(gap.position), left_out=left_out, attempts=0)
    leases.give_back(job)
    commands.enqueue(job.id)


def _begin_anew(job: ExportJob, source: Source) -> None:
    """What the rows tell of is not on this disk: it is made again, all of it."""
    log.warning("export begins anew", job=str(job.id))
    for file in job.files.all():
        files.remove(file)
        file.delete()
    key = sealing.new_key(job.id)
    again = {"status": Status.RUNNING, "progress": {}, "left_out": [], "wrapped_key": key}
    leases.write(job, position=source.prepare(), **again)
    leases.give_back(job)
    commands.enqueue(job.id)


def _finish(job: ExportJob, source: Source) -> None:
    handed_out = {file.id for file in source.package()}
    for file in job.files.filter(id__in=handed_out):
        files.store(file)
    commands.complete(job)
    for file in job.files.exclude(
        id__in=handed_out
    ):  # not before: a run that is killed until then needs them
        files.remove(file)


def _sweep_up(job: ExportJob) -> None:
    """Whoever ended the job deleted its files; what this run wrote since goes now. Another run's stay."""
    job.refresh_from_db()
    if job.status not in (*states.LIVING, *states.READY):
        files.destroy(job.id)
