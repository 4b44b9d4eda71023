from celery import shared_task

from portal import drafts


@shared_task
def sweep_drafts() -> None:
    """Delete drafts that ran out. Safe to run twice."""
    drafts.sweep()
