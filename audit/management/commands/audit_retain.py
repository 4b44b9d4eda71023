"""`manage.py audit_retain`: let a month of events go whose time is over. As the owner's role, like
migrate."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.keeping import retention


class Command(BaseCommand):
    help = "Drop the events of one month after a sealed event that says so. Their hashes and all proofs stay."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", help="for example 2020-01")
        parser.add_argument("--by", required=True, help="who says so, for example User/…")
        parser.add_argument("--yes", action="store_true", help="without it, only say from when on it may go")

    def handle(self, *args: Any, month: str, by: str, yes: bool, **options: Any) -> None:
        try:
            self.stdout.write(f"The events of {month} may go from {retention.due_on(month)} on.")
            if yes:
                self.stdout.write(f"{retention.drop(month, by=by):,} events went. It is recorded.")
        except retention.NotDue as error:
            raise CommandError(str(error)) from None
