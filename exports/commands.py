"""What can be done with an export. Each is one transaction, with its audit row inside."""

from collections.abc import Collection
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import Patient, User
from audit.events import EventType
from audit.keeping import faults
from audit.log import Entry, Outcome, record
from exports import files, states
from exports.choices import resource_types_for
from exports.models import ExportJob

Status = ExportJob.Status
MOST_AT_ONCE = 2


class TooMany(Exception):
    """The person has as many downloads under way as we make at once."""


def kickoff(*, patient: Patient, by: User, categories: Collection[str], include_sensitive: bool) -> ExportJob:
    """Start an export of these data categories; none means all. What they are is frozen here.

    Raises TooMany.
    """
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=patient.pk)  # two tabs count one after the other
        if patient.export_jobs.filter(status__in=states.LIVING).count() >= MOST_AT_ONCE:
            raise TooMany
        job = ExportJob.objects.create(
            patient=patient,
            requested_by=by,
            resource_types=resource_types_for(categories),
            categories=sorted(categories),
            include_sensitive=include_sensitive,
        )
        log(EventType.EXPORT_KICKOFF, job, by=by)
        transaction.on_commit(lambda: enqueue(job.id))
    return job


def enqueue(job_id: UUID) -> None:
    """Tell a worker. If the queue is down the sweep finds the job again."""
    try:
        current_app.send_task("exports.tasks.run_export", [str(job_id)])
    except OperationalError:
        faults.report("System/queue", "queue.down")


@transaction.atomic
def cancel(job: ExportJob, *, by: User) -> ExportJob:
    """Stop an export, or delete one that is ready. Its files go now. Twice changes nothing."""
    job = ExportJob.objects.select_for_update().get(pk=job.pk)
    if job.status in (Status.CANCELLED, Status.EXPIRED):
        return job
    job.status, job.finished_at = Status.CANCELLED, timezone.now()
    job.save(update_fields=["status", "finished_at"])
    log(EventType.EXPORT_CANCEL, job, by=by)
    transaction.on_commit(lambda: files.destroy(job.id))
    return job


@transaction.atomic
def block(job: ExportJob) -> None:
    """End a job whose authority went away while it ran."""
    job = ExportJob.objects.select_for_update().get(pk=job.pk)
    if job.status not in states.LIVING:
        return
    job.status, job.finished_at = Status.BLOCKED, timezone.now()
    job.save(update_fields=["status", "finished_at"])
    log(EventType.EXPORT_CANCEL, job, by=None)
    transaction.on_commit(lambda: files.destroy(job.id))


@transaction.atomic
def expire(job: ExportJob) -> None:
    """Destroy the files of a job whose time is over."""
    job = ExportJob.objects.select_for_update().get(pk=job.pk)
    if job.status not in (Status.COMPLETED, Status.COMPLETED_WITH_GAPS):
        return
    job.status = Status.EXPIRED
    job.save(update_fields=["status"])
    log(EventType.EXPORT_EXPIRE, job, by=None)
    transaction.on_commit(lambda: files.destroy(job.id))


def log(event: EventType, job: ExportJob, *, by: User | None) -> None:
    helps = by is not None and by.pk != job.whose.user_id
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}" if by else "System/exports",
            on_behalf_of=f"Patient/{job.patient_id}" if helps else "",
            role="helper" if helps else "patient" if by else "system",
            patient=f"Patient/{job.patient_id}",
            resource_types=tuple(job.resource_types),
            purpose="FAMRQT" if helps else "PATRQT",
            target=f"ExportJob/{job.id}",
        )
    )
