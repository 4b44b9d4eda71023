from celery import shared_task

from consent import commands


@shared_task
def expire_due() -> None:
    """Write down the end of what has run out, and end what rests on it. Safe to run twice."""
    commands.expire_due()
