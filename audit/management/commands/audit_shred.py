"""`manage.py audit_shred`: erase from where a person's record was visited. As the owner's role, like
migrate."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from audit.keeping.shredding import shred
from audit.log import REFERENCE


class Command(BaseCommand):
    help = "Destroy the keys of the erasable detail (network address, user agent) of a subject's events."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subject", help="Patient/… or, of events that name no patient, the actor")
        parser.add_argument("--by", required=True, help="who says so, for example User/…")

    def handle(self, *args: Any, subject: str, by: str, **options: Any) -> None:
        for value in (subject, by):
            if not REFERENCE.fullmatch(value):
                raise CommandError(
                    f"{value!r} is no reference. Write it as the log does: Patient/… or User/…"
                )
        try:
            count = shred(subject, by=by)
        except ProgrammingError:  # permission denied
            raise CommandError("Only the tables' owner may erase: DATABASE_URL as for migrate.") from None
        if not count:
            self.stdout.write(
                f"{subject} has no keys: nothing was kept, or it was erased. Nothing was recorded."
            )
            return
        self.stdout.write(f"{count:,} keys were destroyed. It is recorded; restart the web server.")
