"""manage.py catalogue {update,compile,check}: the texts that patients read."""

import argparse
from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandError

from config import catalogue


def update() -> Iterator[str]:
    catalog = catalogue.update()
    catalogue.compile_catalogue()
    problems = catalogue.problems()
    yield f"{len(catalog)} texts, {len(problems)} problems."
    yield from (f"  {problem}" for problem in problems)


def compile_() -> Iterator[str]:
    yield f"Wrote {catalogue.compile_catalogue().name}."


def check() -> Iterator[str]:
    if problems := catalogue.problems():
        raise CommandError("\n".join([*problems, "Add the Spanish, then: manage.py catalogue update"]))
    yield "Every text has an id and a translation."


ACTIONS = {"update": update, "compile": compile_, "check": check}


class Command(BaseCommand):
    help = "Gather the patient-facing texts, compile them, or check that each has an id and a translation."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)

    def handle(self, *, action: str, **options: object) -> None:
        for line in ACTIONS[action]():
            self.stdout.write(line)
