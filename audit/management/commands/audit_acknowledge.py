"""`manage.py audit_acknowledge`: the log was restored from an older backup, or changed; it goes on from
here."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import health
from audit.keeping.acknowledgement import NothingToAcknowledge, acknowledge


class Command(BaseCommand):
    help = "Say that the log goes on as it is, and lift the hold. What was found, and by whose word, is kept."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", required=True, help="who says so, for example User/…")
        parser.add_argument("--yes", action="store_true", help="without it, only tell what was found")

    def handle(self, *args: Any, by: str, yes: bool, **options: Any) -> None:
        found = health.current()
        if found is not None:
            self.stdout.write(f"The log is {found.state}: {found.what}")
        if not yes:
            self.stdout.write("Nothing was done. With --yes this is acknowledged, and recorded.")
            return
        try:
            acknowledge(by=by)
        except NothingToAcknowledge:
            raise CommandError("There is nothing to acknowledge.") from None
        self.stdout.write("Acknowledged and recorded. The log goes on, and so does the site.")
