"""The Celery application: exports, notices and scheduled tasks."""

import os

import django
from celery import Celery
from celery.signals import beat_init, worker_init

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

    from config import safety

    safety.refuse_unsafe_start()
    connections.close_all()  # none may go through a fork
