"""Clone the patients of the embedded FHIR server, for measurements."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fhirstore.multiplying import multiply


class Command(BaseCommand):
    help = "Clone every patient of the embedded FHIR server N times, with new ids. For measurements only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("times", type=int, metavar="N", help="how many clones each patient gets")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["times"] < 1:
            raise CommandError("N is a number from 1: how many clones each patient gets.")
        started, total = time.monotonic(), 0
        for number, added in enumerate(multiply(options["times"]), start=1):
            if not added:
                raise CommandError("There are no patients to clone. Load some: manage.py fhirstore_load PATH")
            total += added
            seconds = max(time.monotonic() - started, 0.001)
            self.stdout.write(
                f"Clone {number} of {options['times']}: {total:,} resources, {total / seconds:,.0f}/s"
            )
