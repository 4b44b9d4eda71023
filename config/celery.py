"""The Celery application: exports, notices and scheduled tasks."""

import os
from typing import Any

import django
import structlog
from celery import Celery, Task
from celery.signals import beat_init, before_task_publish, task_postrun, task_prerun, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("chartkey")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def refuse_unsafe_start(**_: object) -> None:
    """A worker and the scheduler do not come up where the site would not."""
    django.setup()
    from django.db import connections

    from config import start

    start.begin()
    connections.close_all()  # none may go through a fork


@before_task_publish.connect
def send_correlation(headers: dict[str, Any], **_: object) -> None:
    """What a request asked to be done later carries the request's id: `config.middleware.correlation_id`."""
    if known := structlog.contextvars.get_contextvars().get("correlation_id"):
        headers["correlation"] = known


@task_prerun.connect
def take_correlation(task_id: str, task: Task, **_: object) -> None:
    """A task that nobody's request asked for has an id of its own: for its log lines, events and calls."""
    sent = task.request.headers or {}  # where it is run in place; a worker has each header by its name
    known = getattr(task.request, "correlation", None) or sent.get("correlation") or task_id
    structlog.contextvars.bind_contextvars(correlation_id=str(known))


@task_postrun.connect
def drop_correlation(**_: object) -> None:
    structlog.contextvars.unbind_contextvars("correlation_id")
