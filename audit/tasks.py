from celery import shared_task

from audit import anchors, journal_check, partitions
from audit import monitor as watch


@shared_task
def make_partitions() -> None:
    """Keep three months ahead. Safe to run twice."""
    partitions.ensure()


@shared_task
def anchor() -> None:
    """Give the newest checkpoint to every witness and bucket that lacks it. Safe to run twice."""
    anchors.send()


@shared_task
def monitor() -> None:
    """Find out how the log stands, and shout where it is not well."""
    watch.look()


@shared_task
def verify_all() -> None:
    watch.look_at_all()


@shared_task
def prune() -> None:
    """Throw away journals that are sealed and anchored in full."""
    journal_check.prune()
