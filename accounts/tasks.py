from celery import shared_task

from accounts import sessions


@shared_task
def sweep_sessions() -> None:
    """End what ran out while nobody came, and what rests on it. Safe to run twice."""
    sessions.sweep()
