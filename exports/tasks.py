from uuid import UUID

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from exports import commands, files, runs, states
from exports.models import ExportJob
from exports.push import pushes
from exports.shl import commands as health_links


@shared_task
def run_export(job_id: str) -> None:
    """Carry on an export from where it stands. Safe to run twice."""
    runs.run(UUID(job_id))


@shared_task
def run_push(push_id: int) -> None:
    """Carry on sending an export. Safe to run twice."""
    pushes.run(push_id)


@shared_task
def sweep() -> None:
    """Find exports that the queue forgot or a worker lost, and end those whose time is over."""
    pushes.enqueue_due()
    now = timezone.now()
    lost = Q(lease_until=None) | Q(lease_until__lt=now)
    for job in ExportJob.objects.filter(lost, status__in=states.LIVING):
        commands.enqueue(job.id)
    for job in ExportJob.objects.filter(status__in=states.READY, expires_at__lt=now):
        commands.expire(job)
    for job_id in files.folders():
        if not ExportJob.objects.filter(pk=job_id, status__in=(*states.LIVING, *states.READY)).exists():
            files.destroy(job_id)  # a worker that was killed could not


@shared_task
def sweep_links() -> None:
    """Health links: files whose address has run out, links that were opened as often as they can be."""
    health_links.sweep()
