"""`manage.py verify_audit`: prove that the audit log is whole, or name the first row that is not."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from audit import sequencer
from audit.verification import Report, Tampered, verify

TAMPERED, COULD_NOT_RUN = 1, 2


class Command(BaseCommand):
    help = (
        "Recompute the audit log and check it against its signed checkpoints and the anchor file. "
        "Exit code 0: it is whole. 1: it is not; the first bad row is named. 2: it could not be checked."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", action="store_true", help="first give the newest events their place in the log"
        )

    def handle(self, *args: Any, wait: bool, **options: Any) -> None:
        try:
            if wait:
                sequencer.catch_up()
            started = time.monotonic()
            report = verify(_Progress(self))
        except (Tampered, sequencer.BrokenLog) as error:
            raise CommandError(
                f"The audit log was changed. First found: {error}.", returncode=TAMPERED
            ) from None
        except (DatabaseError, OSError, ValueError) as error:
            raise CommandError(
                f"The audit log could not be checked: {type(error).__name__}: {str(error).strip()}",
                returncode=COULD_NOT_RUN,
            ) from None
        self._tell(report, time.monotonic() - started)

    def _tell(self, report: Report, seconds: float) -> None:
        self.stdout.write(self.style.SUCCESS("The audit log is whole."))
        self.stdout.write(
            f"  {report.entries:,} events: each as this application wrote it, and in its place.\n"
            f"  {report.checkpoints:,} signed checkpoints, and {report.anchors:,} anchors outside the "
            f"database (the last at {report.anchored:,} events), agree with them.\n"
            f"  Nothing was changed, removed or slipped in. It took {seconds:.1f} s."
        )
        if report.waiting:
            self.stdout.write(
                f"  {report.waiting:,} newer events wait for their place in the log: right in themselves, "
                "but not yet sealed. The sequencer does that within a second (or: verify_audit --wait)."
            )
        self.stdout.write(f"  Log {settings.AUDIT_ORIGIN}, root {report.root.hex()}")


class _Progress:
    """A line each second, for what takes longer than one."""

    def __init__(self, command: BaseCommand) -> None:
        self._command, self._told_at = command, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._told_at >= 1:
            self._told_at = time.monotonic()
            self._command.stdout.write(f"  checked {done:,} of {total:,} events")
