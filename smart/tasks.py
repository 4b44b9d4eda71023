from celery import shared_task

from smart import tokens


@shared_task
def sweep() -> None:
    """Remove what has been of no use for a while. Safe to run twice."""
    tokens.sweep()
