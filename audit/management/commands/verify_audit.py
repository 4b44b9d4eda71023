"""`manage.py verify_audit`: prove that the audit log is whole, or name the first row that is not."""

import json
import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from audit import journal_check, sequencer
from audit.tree_check import Tampered
from audit.verification import Report, verify

TAMPERED, COULD_NOT_RUN = 1, 2
RECEIPTS = {
    "sealed": "The event of this receipt is in the log, sealed.",
    "waiting": "The event of this receipt is in the log, and waits for its place.",
    "missing": "This application gave the receipt, and its event is NOT in the log: it was deleted.",
    "forged": "This application did not give that receipt.",
}


class Command(BaseCommand):
    help = (
        "Recompute the audit log and check it against its checkpoints, the anchor file and the journals. "
        "Exit code 0: it is whole. 1: it is not; the first bad row is named. 2: it could not be checked."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", action="store_true", help="first give the newest events their place in the log"
        )
        parser.add_argument("--from", dest="start", type=int, default=0, metavar="ENTRY")
        parser.add_argument(
            "--to", dest="stop", type=int, metavar="ENTRY", help="up to, and without, this one"
        )
        parser.add_argument(
            "--against", type=Path, metavar="FILE", help="a checkpoint that the log must hold"
        )
        parser.add_argument(
            "--resume", type=Path, metavar="FILE", help="keep the place here, and go on from it"
        )
        parser.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="that look at a long log together"
        )
        parser.add_argument(
            "--receipt", default="", help="an X-Audit-Receipt: only say whether its event stands"
        )

    def handle(self, *args: Any, receipt: str, wait: bool, **options: Any) -> None:
        if receipt:
            return self._receipt(receipt)
        try:
            if wait:
                sequencer.catch_up()
            started = time.monotonic()
            report = self._verify(**options)
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
        return None

    def _verify(
        self,
        *,
        start: int = 0,
        stop: int | None = None,
        against: Path | None = None,
        resume: Path | None = None,
        processes: int = 1,
        **_: Any,
    ) -> Report:
        if start < 0 or (stop is not None and stop <= start):
            raise ValueError("--from and --to take entries in their order")
        place = _Place(resume)
        report = verify(
            _Progress(self),
            start=max(start, place.size),
            stop=stop,
            against=against.read_text().rstrip("\n") + "\n" if against else "",
            processes=processes,
            on_checkpoint=place.keep,
        )
        place.keep(report.entries if stop is None else 0)
        return report

    def _receipt(self, receipt: str) -> None:
        found = journal_check.receipt(receipt)
        if found in ("missing", "forged"):
            raise CommandError(RECEIPTS[found], returncode=TAMPERED)
        self.stdout.write(RECEIPTS[found])

    def _tell(self, report: Report, seconds: float) -> None:
        self.stdout.write(self.style.SUCCESS("The audit log is whole."))
        if report.began:
            self.stdout.write(f"  Looked at from entry {report.began:,} on, after a signed checkpoint.")
        self.stdout.write(
            f"  {report.entries - report.began:,} events: each as this application wrote it, and in place."
            "\n"
            f"  {report.checkpoints:,} signed checkpoints, and {report.anchors:,} anchors outside the "
            f"database (the last at {report.anchored:,} events), agree with them.\n"
            f"  Nothing was changed, removed or slipped in. It took {seconds:.1f} s."
        )
        if report.journalled:
            self.stdout.write(f"  Every line of {report.journalled:,} journals is in the log.")
        if report.dropped:
            self.stdout.write(
                f"  {report.dropped:,} events were let go when their time was over, as recorded."
            )
        if report.lost:
            self.stdout.write(f"  {report.lost:,} anchors are of what a restore lost, as acknowledged.")
        if report.waiting:
            self.stdout.write(
                f"  {report.waiting:,} newer events wait for their place in the log: right in themselves, "
                "but not yet sealed. The sequencer does that within a second (or: verify_audit --wait)."
            )
        self.stdout.write(f"  Log {settings.AUDIT_ORIGIN}, root {report.root.hex()}")


class _Place:
    """Where a check that was stopped goes on. What is kept is a size: its signed checkpoint is checked
    anew."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.size = int(json.loads(path.read_text())["size"]) if path and path.exists() else 0

    def keep(self, size: int) -> None:
        if self._path and size:
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps({"size": size}))
            part.replace(self._path)


class _Progress:
    """A line each second, for what takes longer than one."""

    def __init__(self, command: BaseCommand) -> None:
        self._command, self._told_at = command, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._told_at >= 1:
            self._told_at = time.monotonic()
            self._command.stdout.write(f"  checked {done:,} of {total:,} events")
