"""`manage.py audit_keys`: the log's verifier key, and a record of the day when keys were changed."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from audit import notes, proofs
from audit.keeping import keys


class Command(BaseCommand):
    help = "Print the log's verifier key. With --changed, record that the keys are new (docs/audit.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--changed", action="store_true", help="record the names of the keys now in use")
        parser.add_argument("--by", default="User/system", help="who changed them, for example User/…")

    def handle(self, *args: Any, changed: bool, by: str, **options: Any) -> None:
        self.stdout.write(keys.public())
        if changed:
            keys.note_change(by=by)
            self.stdout.write("Recorded. When no process has the old keys any more, bound them:")
            self.stdout.write(f"  AUDIT_MAC_KEYS_OLD=<old key>@{timezone.now():%Y-%m-%dT%H:%M:%S.%fZ}")
            self.stdout.write(f"  AUDIT_SIGNING_KEYS_OLD=<old public key>@{proofs.size_of_log()}")
            return
        public = notes.signer().verifier.public_key.hex()
        self.stdout.write(f"As an old key: AUDIT_SIGNING_KEYS_OLD={public} ({settings.AUDIT_ORIGIN})")
