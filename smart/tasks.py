from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from smart import launches, tokens


@shared_task
def sweep() -> None:
    """Remove what has been of no use for a while. Safe to run twice."""
    tokens.sweep()
    launches.sweep(timezone.now() - timedelta(days=1))
