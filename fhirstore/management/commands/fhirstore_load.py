"""Load FHIR R4 resources from files into the embedded FHIR server."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from fhirstore import sources
from fhirstore.loading import Loader
from fhirstore.store import Effect

NOTHING_READ, SOME_REJECTED = 2, 1


class Command(BaseCommand):
    help = (
        "Load FHIR R4 resources: Bundles (transaction, batch, collection), Bulk Data NDJSON, single "
        "resources, .gz of these, and folders. Loading the same again changes nothing. "
        "Exit code 0: all taken; 1: some rejected; 2: nothing could be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="also write what is rejected to this file, as NDJSON"
        )
        parser.add_argument(
            "--check", action="store_true", help="only say what would be rejected; keep nothing"
        )
        parser.add_argument(
            "--as-is", action="store_true", help="also take resources whose structure is not that of FHIR R4"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        files, lost, skipped = sources.find(options["paths"])
        if not files and not lost:
            where = ", ".join(map(str, options["paths"]))
            raise CommandError(
                f"There is no FHIR file in {where}: no name ends in {_suffixes()}.", returncode=NOTHING_READ
            )
        rejects = options["rejects"].open("w", encoding="utf-8") if options["rejects"] else None
        try:
            loader = Loader(lambda reject: self._tell(reject, rejects), as_is=options["as_is"])
            for reject in lost:
                loader.take([reject])
            with transaction.atomic() if options["check"] else nullcontext():
                self._load(loader, files)
                if options["check"]:
                    transaction.set_rollback(True)
        finally:
            if rejects:
                rejects.close()
        self._sum_up(loader, len(files), skipped)
        if options["check"]:
            self.stdout.write("Checked only: nothing of this was kept.")
        elif loader.reject_count:
            self.stdout.write("The rejected are not kept. Correct them in their files and load these again.")
        if not loader.done_count:
            sys.exit(NOTHING_READ)
        if loader.reject_count:
            sys.exit(SOME_REJECTED)

    def _load(self, loader: Loader, files: list[Path]) -> None:
        progress = _Progress(self.stdout, len(files))
        for number, file in enumerate(files):
            for unit in sources.read(file):
                loader.take(unit)
                progress.show(loader.done_count, number)
        loader.finish()
        progress.end()
        self._seconds = progress.seconds

    def _tell(self, reject: sources.Reject, rejects: IO[str] | None) -> None:
        self.stderr.write(f"Rejected: {reject}")
        if rejects:
            line = {
                "file": str(reject.file), "place": reject.place, "type": reject.type, "reason": reject.reason
            }  # fmt: skip
            rejects.write(json.dumps(line) + "\n")

    def _sum_up(self, loader: Loader, file_count: int, skipped: int) -> None:
        by_type: dict[str, dict[Effect, int]] = defaultdict(dict)
        for (kind, effect), count in loader.counts.items():
            by_type[kind][effect] = count
        for kind in sorted(by_type):
            told = ", ".join(f"{count:,} {effect}" for effect, count in sorted(by_type[kind].items()))
            self.stdout.write(f"  {kind}: {told}")
        total, seconds = loader.counts.total(), self._seconds
        self.stdout.write(
            f"{total:,} resources from {file_count:,} files in {seconds:.1f} s ({total / seconds:,.0f}/s), "
            f"{loader.reject_count:,} rejected."
        )
        for element, count in sorted(loader.odd.items()):
            self.stdout.write(f"  Taken, though R4 does not have it so: {element} ({count:,})")
        if skipped:
            self.stdout.write(f"Files left out: {skipped:,}, whose names do not end in {_suffixes()}.")


def _suffixes() -> str:
    return ", ".join(sources.SUFFIXES) + " or .gz of these"


class _Progress:
    """Says how far a load is once it takes longer than a second: in place on a terminal, else a line
    now and then."""

    def __init__(self, out: Any, file_count: int) -> None:
        self.out, self.file_count = out, file_count
        self.in_place = out.isatty()
        self.started = self.told = time.monotonic()

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self.started, 0.001)

    def show(self, done: int, file_number: int) -> None:
        now = time.monotonic()
        if now - self.told < (1 if self.in_place else 5) or self.seconds < 1:
            return
        self.told = now
        file = f"file {file_number + 1:,} of {self.file_count:,}"
        text = f"{done:,} resources, {file}, {done / self.seconds:,.0f}/s"
        self.out.write(f"\r\x1b[K{text}" if self.in_place else text, ending="" if self.in_place else "\n")
        self.out.flush()

    def end(self) -> None:
        if self.in_place and self.told != self.started:
            self.out.write("\r\x1b[K", ending="")
