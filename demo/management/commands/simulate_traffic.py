"""Fill the log of a scratch installation with weeks of made-up use, with misuse planted in the last one.

What was planted goes into a file, which `evaluate_monitoring` holds against the alerts.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import User
from demo.traffic.cast import first_monday
from demo.traffic.simulation import LEAST_DAYS, WEEK, Simulation


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("truth", type=Path, help="the file that says what was planted")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--days", type=int, default=LEAST_DAYS + 4)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("It runs only where CHARTKEY_MODE is demo or test.")
        if User.objects.filter(email__startswith="traffic-").exists():
            raise CommandError("There is made-up traffic here already. Take an empty installation.")
        start = first_monday(timezone.localtime())
        simulation = Simulation(options["seed"], start, options["days"])
        days = list(simulation.run())
        truth = {
            "seed": options["seed"],
            "days": options["days"],
            "history": sum(days[:-WEEK]),
            "evaluated_from": simulation.evaluated_from.isoformat(),
            "planted": [piece.told() for piece in simulation.planted],
        }
        options["truth"].write_text(json.dumps(truth, indent=1))
        self.stdout.write(f"{sum(days)} events of {options['days']} days; {len(simulation.planted)} planted")
