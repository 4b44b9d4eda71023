"""Let the monitor read a log of made-up traffic, and print how well it found what was planted."""

import json
import time
from argparse import ArgumentParser
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit import sequencer
from compliance.monitoring import runs
from compliance.monitoring.models import Alert, Cursor
from demo.traffic import evaluation
from demo.traffic.misuse import Planted

HISTORY, LOOK = 5_000, 50  # entries of one run before the week that counts, and in it


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("truth", type=Path, help="what simulate_traffic wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("It runs only where CHARTKEY_MODE is demo or test.")
        truth = json.loads(options["truth"].read_text())
        since = datetime.fromisoformat(truth["evaluated_from"])
        sequencer.catch_up()
        began = time.monotonic()
        count = self._read(truth["history"])
        planted = [_planted(piece) for piece in truth["planted"]]
        alerts = evaluation.of_week(since)
        self.stdout.write(
            f"Seed {truth['seed']}: {count:,} events of {truth['days']} days, {len(planted)} pieces of "
            f"misuse in the last 7; {len(alerts)} alerts in those; {time.monotonic() - began:.0f} s.\n"
        )
        for line in evaluation.markdown(evaluation.score(planted, alerts)):
            self.stdout.write(line)

    def _read(self, history: int) -> int:
        """In small steps in the week that counts, as when it happened; each day ends with no open alert."""
        count = self._begun()
        day: date | None = None
        while read := runs.run(limit=min(HISTORY, history - count) if count < history else LOOK, by_log=True):
            count += read
            today = timezone.localdate(Cursor.objects.get().log_at)
            if count >= history and today != day:
                Alert.objects.filter(status=Alert.Status.OPEN).update(status=Alert.Status.CLOSED)
                day = today
        return count

    def _begun(self) -> int:
        cursor = Cursor.objects.first()
        return cursor.seq if cursor else 0


def _planted(piece: dict[str, str]) -> Planted:
    times = {name: datetime.fromisoformat(piece[name]) for name in ("first_at", "last_at")}
    return Planted(piece["detector"], piece["subject"], **times, strength=piece["strength"])
