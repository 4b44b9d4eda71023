from celery import shared_task

from compliance.monitoring import runs


@shared_task
def watch() -> None:
    """Look at what is new in the log (`compliance.monitoring`). Safe to run twice, and at once."""
    runs.catch_up()


@shared_task
def sweep_windows() -> None:
    """Throw away the monitor's windows that are long over. Safe to run twice."""
    runs.sweep()
