"""Scheduled work of the outbox."""

from celery import shared_task

from notices import outbox


@shared_task
def send_due() -> None:
    """Send what is due. Safe to run twice, and at the same time."""
    outbox.send_due()
