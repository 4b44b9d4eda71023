"""What can be done with an export. Each is one transaction, with its audit row inside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import Patient, RelatedPerson, User
from audit.events import EventType
from audit.keeping import faults
from audit.log import Entry, Outcome, record
from consent.decision import Reason
from exports import files, leases, states
from exports.choices import NDJSON, resource_types_for
from exports.models import ExportJob
from notices import commands as notices
from smart.models import Client

Kind, Status = ExportJob.Kind, ExportJob.Status
By = User | Client | None  # None: the engine
MOST_AT_ONCE = 2
KEPT = timedelta(days=7)


class TooMany(Exception):
    """The person has as many downloads under way as we make at once."""


def kickoff(
    *,
    patient: Patient,
    by: User,
    categories: Collection[str],
    include_sensitive: bool,
    formats: Sequence[str] = (NDJSON,),
    since: datetime | None = None,
    until: datetime | None = None,
) -> ExportJob:
    """Start an export of these data categories; none means all. What they are is frozen here.

    `since` and `until` (exclusive) are about when something happened. Raises TooMany.
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
            formats=list(formats),
            since=since,
            until=until,
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
def complete(job: ExportJob) -> None:
    """The files are whole and where they are handed out from. Raises leases.Stopped."""
    now = timezone.now()
    status = Status.COMPLETED_WITH_GAPS if job.left_out else Status.COMPLETED
    leases.write(job, status=status, finished_at=now, expires_at=now + KEPT)
    ExportJob.objects.filter(pk=job.pk).update(lease_until=None, lease_holder=None)
    log(EventType.EXPORT_COMPLETE, job, by=None)
    if job.kind == Kind.PERSONAL:
        user = job.who
        notices.enqueue(
            "export_ready",
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={},
        )


def cancel(job: ExportJob, *, by: By) -> ExportJob:
    """Stop an export, or delete one that is ready. Its files go now. Twice changes nothing."""
    return _end(job, Status.CANCELLED, EventType.EXPORT_CANCEL, by=by)


def block(job: ExportJob, reason: str = Reason.NO_CONSENT) -> None:
    """End a job whose authority went away, while it ran or later."""
    _end(job, Status.BLOCKED, EventType.EXPORT_CANCEL, reason=reason)


def fail(job: ExportJob, reason: str) -> None:
    """End a job that cannot be made, and why as a code of the log. Nothing of it is left."""
    _end(job, Status.FAILED, EventType.EXPORT_COMPLETE, Outcome.FAILED, reason=reason)


def expire(job: ExportJob) -> None:
    """Destroy the files of a job whose time is over."""
    _end(job, Status.EXPIRED, EventType.EXPORT_EXPIRE)


@transaction.atomic
def _end(
    job: ExportJob,
    status: ExportJob.Status,
    event: EventType,
    outcome: Outcome = Outcome.DONE,
    *,
    reason: str = "",
    by: By = None,
) -> ExportJob:
    """The key goes in this transaction: whatever becomes of the files, nobody reads them again."""
    job = ExportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if not states.may_become(job.status, status):
        return job
    job.status, job.reason, job.wrapped_key, job.lease_until = status, reason, "", None
    job.finished_at = job.finished_at or timezone.now()
    job.save(update_fields=["status", "reason", "wrapped_key", "lease_until", "finished_at"])
    job.files.update(tail=b"")
    log(event, job, by=by, outcome=outcome)
    transaction.on_commit(lambda: files.destroy(job.id))
    return job


def block_for_consent(consent_id: UUID) -> int:
    """End what a helper made by a consent that has ended; `consent.dependents` calls it."""
    ended = 0
    for relation in RelatedPerson.objects.filter(consents=consent_id):
        made = ExportJob.objects.filter(patient=relation.patient_id, requested_by=relation.user_id)
        for job in made.filter(status__in=(*states.LIVING, *states.READY)):
            block(job)
            ended += 1
    return ended


def end_all_of(patient: Patient) -> int:
    """The patient leaves: work stops, and files that are ready go (`consent.leaving`)."""
    jobs = list(patient.export_jobs.filter(status__in=(*states.LIVING, *states.READY)))
    for job in jobs:
        block(job)
    return len(jobs)


def log(
    event: EventType,
    job: ExportJob,
    *,
    by: By,
    outcome: Outcome = Outcome.DONE,
    detail: Mapping[str, str | int] | None = None,
) -> None:
    """One row: by a person, by the client that asked, or (None) by the engine for either."""
    is_bulk = job.kind == Kind.BULK
    role, purpose = (_of_client if is_bulk else _of_person)(job, by)
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=_named(by),
            on_behalf_of=f"Patient/{job.patient_id}" if role == "helper" else "",
            role=role,
            patient=f"Patient/{job.patient_id}" if job.patient_id else "",
            client=_named(job.client) if job.client else "",
            resource_types=tuple(job.resource_types),
            purpose=purpose,
            reasons=(job.reason,) if job.reason else (),
            detail=detail or {},
            target=f"ExportJob/{job.id}",
        )
    )


def _named(by: By) -> str:
    if by is None:
        return "System/exports"
    return f"Client/{by.client_id}" if isinstance(by, Client) else f"User/{by.pk}"


def _of_person(job: ExportJob, by: By) -> tuple[str, str]:
    """(role, purpose)"""
    if isinstance(by, User) and by.pk != job.whose.user_id:
        return "helper", "FAMRQT"
    return "patient" if by else "system", "PATRQT"


def _of_client(job: ExportJob, by: By) -> tuple[str, str]:
    role = "client" if isinstance(by, Client) else "compliance" if by else "system"
    return role, job.approval.purpose if job.approval else ""
