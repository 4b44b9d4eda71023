"""Fill an empty Chartkey with the demo population, or make log-ins for records of one's own."""

import re
import time
import unicodedata
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from demo import people, population, store
from demo.people import Login
from demo.population import clinic
from demo.population.coding import Resource

MOST_LOGINS = 20


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", metavar="PATH", help="FHIR files to load instead of the demo population"
        )
        parser.add_argument(
            "--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day all dates count from"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "demo_seed makes log-ins with a known password. "
                "It runs only where CHARTKEY_MODE is demo or test."
            )
        started = time.monotonic()
        with transaction.atomic():
            people.make_source()
            people.make_client()
            staff = people.make_staff()
            try:
                logins = self._own(options["data"]) if options["data"] else self._demo(options["today"])
            except store.NotStored as problem:
                raise CommandError(str(problem)) from None
        self._print([*logins, *staff], time.monotonic() - started)

    def _demo(self, today: date | None) -> list[Login]:
        day = today or timezone.localdate()
        store.put(clinic.resources())
        charts = population.charts(day)
        for number, chart in enumerate(charts, start=1):
            self.stdout.write(f"Records {number} of {len(charts)}: {chart[0]['id']}, {len(chart)} resources")
            store.put(chart)
        return people.make_cast({chart[0]["id"]: chart[0] for chart in charts})

    def _own(self, path: str) -> list[Login]:
        if not Path(path).exists():
            raise CommandError(f"{path} is not there. Give a file or a folder of FHIR resources.")
        call_command("fhirstore_load", path, stdout=self.stdout, stderr=self.stderr)
        found = store.search("Patient", ("_count", str(MOST_LOGINS)), ("_sort", "_id"))
        store.put([*clinic.resources(), *(_demo_team(record["id"]) for record in found)])
        return list(_logins(found))

    def _print(self, logins: list[Login], seconds: float) -> None:
        width = max(len(login.email) for login in logins)
        self.stdout.write(f"\nLog-ins, all with the password {people.PASSWORD}")
        for login in logins:
            self.stdout.write(f"  {login.email:{width}}  {login.name}: {login.what}")
        self.stdout.write(f"Done in {seconds:.1f} s.")


def _logins(records: Iterable[Resource]) -> Iterable[Login]:
    """A Patient row and a log-in for each FHIR Patient; the same again for one that is known."""
    taken: set[str] = set()
    for record in records:
        login = _login(record, taken)
        taken.add(login.email)
        people.make_patient(record, login.name, people.make_user(login))
        yield login


def _login(record: Resource, taken: set[str]) -> Login:
    name: Resource = next(iter(record.get("name", [])), {})
    given, family = next(iter(name.get("given", [])), ""), name.get("family", "")
    stem = ".".join(filter(None, (_plain(given), _plain(family)))) or "patient"
    email, number = f"{stem}@demo.example", 2
    while email in taken:
        email, number = f"{stem}{number}@demo.example", number + 1
    return Login(
        email, f"{given} {family}".strip() or "Patient", f"patient, born {record.get('birthDate', '?')}"
    )


def _plain(name: str) -> str:
    """Letters of an address: no accents, and without the numbers that Synthea puts after names."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z]+", "", letters)


def _demo_team(patient_id: str) -> Resource:
    """Puts the demo's clinician on the patient's care team, so that she can review what is sent."""
    return {
        "resourceType": "CareTeam",
        "id": f"demo-team-{patient_id}"[:64],
        "status": "active",
        "name": "Demo care team",
        "subject": {"reference": f"Patient/{patient_id}"},
        "participant": [{"member": clinic.OSEI.ref}],
    }
