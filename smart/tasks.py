from celery import shared_task

from smart import events, sweeping


@shared_task
def sweep() -> None:
    """Remove what has been of no use for a while. Safe to run twice."""
    sweeping.sweep()


@shared_task
def send_events() -> None:
    """Tell clients what is due. Safe to run twice, and at the same time."""
    events.send_due()
