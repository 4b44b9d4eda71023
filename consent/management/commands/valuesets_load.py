"""`manage.py valuesets_load`: say which codes are sensitive, by HL7 ValueSets; all of them, or nothing."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consent import valuesets
from consent.valueset_files import Loaded, Unreadable, ValueSet, read
from consent.vocabulary import LABELS


class Command(BaseCommand):
    help = (
        "Load value sets that say which codes are sensitive: FHIR R4 ValueSets, alone or in a Bundle, as "
        "JSON or .json.gz, with their label in useContext; or Consent2Share's list. What was loaded before "
        "stays, unless the files bring it again. Nothing is loaded where a set is not whole; see --partial."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--label", default="", metavar="CODE", help="for sets that name no label")
        parser.add_argument(
            "--partial", action="store_true", help="load what can be loaded, and list what cannot"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be loaded")

    def handle(self, *, files: list[Path], label: str, partial: bool, dry_run: bool, **options: Any) -> None:
        if label and label not in LABELS:
            raise CommandError(f"The label {label} is not known. Known: {', '.join(sorted(LABELS))}")
        try:
            loaded = read(files, label)
        except Unreadable as error:
            raise CommandError(f"Nothing was loaded. {error}") from None
        self._tell(loaded)
        if loaded.problems and not partial:
            told = "\n".join(f"  {problem}" for problem in loaded.problems)
            raise CommandError(f"Nothing was loaded (--partial loads the rest):\n{told}")
        if not any(one.usable for one in loaded.sets):
            raise CommandError("Nothing was loaded: no set has a label and codes.")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was loaded.")
            return
        release = valuesets.load(loaded, by="System/console")
        self.stdout.write(self.style.SUCCESS(f"Release {release.pk}: {release.entries:,} codes."))

    def _tell(self, loaded: Loaded) -> None:
        for one in loaded.sets:
            self.stdout.write(_line(one))
            for note in dict.fromkeys(
                [*one.notes, *(f"skipped: {p.where}: {p.reason}" for p in one.problems)]
            ):
                self.stdout.write(f"    {note}")
        for url in loaded.groupings:
            self.stdout.write(f"{url}\n    skipped: it only lists other sets, which have labels of their own")


def _line(one: ValueSet) -> str:
    codes = f"{len(one.codes):,} codes" if one.usable else "not loaded"
    return f"{one.url or '(no url)'}  {', '.join(sorted(one.labels)) or '(no label)'}  {codes}"
