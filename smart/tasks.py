from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from smart import events, launches, tokens


@shared_task
def sweep() -> None:
    """Remove what has been of no use for a while. Safe to run twice."""
    tokens.sweep()
    launches.sweep(timezone.now() - timedelta(days=1))


@shared_task
def send_events() -> None:
    """Tell clients what is due. Safe to run twice, and at the same time."""
    events.send_due()
