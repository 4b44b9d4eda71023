from celery import shared_task

from audit import partitions


@shared_task
def make_partitions() -> None:
    """Keep three months ahead. Safe to run twice."""
    partitions.ensure()
