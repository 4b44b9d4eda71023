"""manage.py catalogue {update,compile,check}: the texts that patients read."""

import argparse
from collections.abc import Iterator

from django.core.management.base import BaseCommand, CommandError

from config import catalogue


def update() -> Iterator[str]:
    try:
        catalog = catalogue.update()
    except catalogue.Conflict as conflict:
        raise CommandError(str(conflict)) from None
    catalogue.compile_catalogue()
    missing = [message for message in catalogue.texts(catalog) if not catalogue.is_translated(message)]
    yield f"{len(catalog)} texts, {len(missing)} without Spanish."
    yield from (f"  {message.context}: {catalogue.key(message)[1]}" for message in missing)


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
