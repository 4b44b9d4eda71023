from uuid import UUID

from celery import shared_task

from fhirproxy import health
from fhirproxy.models import Source
from fhirproxy.upstream import kept
from fhirproxy.writes import dispatch


@shared_task
def sweep_writes() -> None:
    """Carry on approved changes that a crash left. Safe to run twice."""
    dispatch.sweep()


@shared_task
def send_write(command_id: str) -> None:
    """Send one approved change now. Safe to run twice."""
    dispatch.send(UUID(command_id))


@shared_task
def check_sources() -> None:
    """Find out how each EHR is. Safe to run twice."""
    for source in Source.objects.all():
        health.keep(source)


@shared_task
def sweep_copies() -> None:
    """Delete copies that may not be kept any longer. Safe to run twice."""
    kept.sweep()
