"""`manage.py audit_shred`: erase from where a person's record was visited. As the owner's role, like
migrate."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from audit.keeping.shredding import shred


class Command(BaseCommand):
    help = "Destroy the keys of the erasable detail (network address, user agent) of a subject's events."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subject", help="Patient/… or, of events that name no patient, the actor")
        parser.add_argument("--by", required=True, help="who says so, for example User/…")

    def handle(self, *args: Any, subject: str, by: str, **options: Any) -> None:
        self.stdout.write(
            f"{shred(subject, by=by):,} keys were destroyed. It is recorded; restart the web server."
        )
