"""`manage.py audit_sequence`: the long-running sequencer of the audit log."""

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from audit import health, partitions, sequencer

INTERVAL = 0.25  # seconds between looks at the table: the merge delay of the log
PATIENCE = 2.0  # seconds before the database is tried again
log = structlog.get_logger("chartkey.audit")


class Command(BaseCommand):
    help = "Put new audit events into the Merkle log and sign checkpoints, until told to stop."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="place what waits now, and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        try:
            if once:
                sequencer.start()
                if health.is_truncated():
                    raise CommandError("The log is on hold: it is shorter than it was (docs/audit.md)")
                self.stdout.write(f"Placed {sequencer.catch_up()} events.")
            else:
                with _told_to_stop() as stop:
                    self._run(stop)
        except sequencer.BrokenLog as error:
            raise CommandError(f"{error}. Run: manage.py verify_audit") from None

    def _run(self, stop: threading.Event) -> None:
        wait, ready, said = 0.0, False, False
        while not stop.wait(wait):
            try:
                if not ready:
                    partitions.ensure()
                    sequencer.start()
                    if not said:
                        self.stdout.write("audit_sequence is ready")
                        self.stdout.flush()
                    ready = said = True
                wait = 0.0 if sequencer.tick() == sequencer.BATCH else INTERVAL
            except (OperationalError, InterfaceError) as error:
                log.warning("database lost; trying again", reason=type(error).__name__)
                connection.close()
                wait, ready = PATIENCE, False  # it may come back as an older one


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set: the tick at hand ends first."""
    stop = threading.Event()
    before = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
