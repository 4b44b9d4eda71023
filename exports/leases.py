"""Who works on an export: one run at a time, by a lease that it renews with each step it takes.

Every step is written down only by the run that holds the lease, and only while the job lives. So a cancel is
a change of the row, and a worker that was taken for dead changes nothing any more.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from exports import states
from exports.models import ExportJob

Status = ExportJob.Status
LEASE = timedelta(minutes=2)  # a run that is silent for longer has lost the job
MOST_ATTEMPTS = 5  # without a step: what ends its worker each time is not tried for ever


class Stopped(Exception):
    """The job is over, or another run holds it."""


def take(job_id: UUID) -> ExportJob | None:
    """Hold the job for a while; None if it is over or somebody else holds it."""
    now = timezone.now()
    with transaction.atomic():
        job = ExportJob.objects.select_for_update().filter(pk=job_id).first()
        if job is None or job.status not in states.LIVING or (job.lease_until and job.lease_until > now):
            return None
        job.lease_holder, job.lease_until, job.heartbeat_at = uuid4(), now + LEASE, now
        job.attempts += 1
        if job.status == Status.QUEUED:
            job.status = Status.PREPARING
        job.save(update_fields=["lease_holder", "lease_until", "heartbeat_at", "attempts", "status"])
    return job


def write(job: ExportJob, **changes: Any) -> None:
    """Write down how far this run is, and hold the job on. Raises Stopped."""
    now = timezone.now()
    changes |= {"lease_until": now + LEASE, "heartbeat_at": now}
    if not _mine(job).update(**changes):
        raise Stopped
    for name, value in changes.items():
        setattr(job, name, value)


def keep(job: ExportJob) -> None:
    """Hold the job on, in the midst of a long step. Raises Stopped."""
    if job.heartbeat_at is None or timezone.now() - job.heartbeat_at > LEASE / 8:
        write(job)


def give_back(job: ExportJob, after: timedelta = timedelta(0)) -> None:
    """Leave the rest to another run, not before this time has passed."""
    _mine(job).update(lease_until=timezone.now() + after, lease_holder=None)


def _mine(job: ExportJob) -> QuerySet[ExportJob]:
    return ExportJob.objects.filter(pk=job.pk, lease_holder=job.lease_holder, status__in=states.LIVING)
