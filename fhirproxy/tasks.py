from celery import shared_task

from fhirproxy.writes import dispatch


@shared_task
def sweep_writes() -> None:
    """Carry on approved changes that a crash left. Safe to run twice."""
    dispatch.sweep()
