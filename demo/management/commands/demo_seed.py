"""Fill an empty Chartkey with the demo population, or make log-ins for records of one's own."""

import hashlib
import re
import time
import unicodedata
from argparse import ArgumentParser
from datetime import date
from itertools import chain, count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from demo import people, population, proposals, second_ehr, store
from demo.people import Login
from demo.population import clinic
from demo.population.coding import Resource

MOST_LOGINS = 20
SOME_REJECTED = 1  # exit code of fhirstore_load


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", metavar="PATH", help="FHIR files to load instead of the demo population"
        )
        parser.add_argument(
            "--addresses", action="store_true", help="only write down where the demo's programs run now"
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
        if options["addresses"]:
            second_ehr.make_source()
            return
        started = time.monotonic()
        try:
            if options["data"]:
                self._load(Path(options["data"]))
            with transaction.atomic():
                people.make_source()
                people.make_client()
                staff = people.make_staff()
                logins = self._own() if options["data"] else self._demo(options["today"])
        except store.NotStored as problem:
            raise CommandError(str(problem)) from None
        self._print([*logins, *staff], time.monotonic() - started)

    def _demo(self, today: date | None) -> list[Login]:
        store.put(clinic.resources())
        charts = population.charts(today or timezone.localdate())
        for number, chart in enumerate(charts, start=1):
            self.stdout.write(f"Records {number} of {len(charts)}: {chart[0]['id']}, {len(chart)} resources")
            store.put(chart)
        logins = people.make_cast({chart[0]["id"]: chart[0] for chart in charts})
        second_ehr.make_source()
        proposals.open_correction(
            "alice",
            about="Condition/alice-worry-weight-1",
            name="Obesity",
            wrong="I have lost 14 pounds since this was written. My doctor said that it is over.",
            right="That it ended this year.",
        )
        return logins

    def _load(self, path: Path) -> None:
        """What the loader rejects it names and leaves out; that is no reason to stop."""
        if not path.exists():
            raise CommandError(f"{path} is not there. Give a file or a folder of FHIR resources.")
        try:
            call_command("fhirstore_load", path, stdout=self.stdout, stderr=self.stderr)
        except SystemExit as ended:
            if ended.code != SOME_REJECTED:
                raise CommandError(f"No FHIR resource could be read from {path}.") from None

    def _own(self) -> list[Login]:
        """Log-ins for the first records of the store that are not the demo's own."""
        demo_ids = {*people.PATIENTS, *people.CHILDREN}
        found = store.search("Patient", ("_count", "200"), ("_sort", "_id"))
        records = [record for record in found if record["id"] not in demo_ids][:MOST_LOGINS]
        store.put([*clinic.resources(), *(_demo_team(record["id"]) for record in records)])
        undated = [record["id"] for record in records if not record.get("birthDate")]
        for id in undated:
            self.stdout.write(f"Patient/{id} has no birth date, so no log-in.")
        return [_make_login(record) for record in records if record["id"] not in undated]

    def _print(self, logins: list[Login], seconds: float) -> None:
        width = max(len(login.email) for login in logins)
        self.stdout.write(f"\nLog-ins, all with the password {people.PASSWORD}")
        for login in logins:
            self.stdout.write(f"  {login.email:{width}}  {login.name}: {login.what}")
        self.stdout.write("Staff in an emergency prove who they are by a code: make manage ARGS=demo_code")
        self.stdout.write(f"Done in {seconds:.1f} s.")


def _make_login(record: Resource) -> Login:
    """A Patient row and a log-in for a FHIR Patient; one that is known keeps what it has."""
    what = f"patient, born {record['birthDate']}"
    known = people.find_patient(record["id"])
    if known and known.user:
        return Login(known.user.email, known.name, what)
    name: Resource = next(iter(record.get("name", [])), {})
    given, family = next(iter(name.get("given", [])), ""), name.get("family", "")
    stem = ".".join(filter(None, (_plain(given), _plain(family)))) or "patient"
    login = Login(_free_address(stem), f"{given} {family}".strip() or "Patient", what)
    people.make_patient(record, login.name, people.make_user(login))
    return login


def _free_address(stem: str) -> str:
    """stem@demo.example, or with the first number that makes it nobody's."""
    numbered = (f"{stem}{number}" for number in count(2))
    addresses = (f"{name}@demo.example" for name in chain([stem], numbered))
    return next(address for address in addresses if not User.objects.filter(email=address).exists())


def _plain(name: str) -> str:
    """Letters of an address: no accents, and without the numbers that Synthea puts after names."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z]+", "", letters)


def _demo_team(patient_id: str) -> Resource:
    """Puts the demo's clinician on the patient's care team, so that she can review what is sent."""
    return {
        "resourceType": "CareTeam",
        "id": f"demo-team-{hashlib.sha256(patient_id.encode()).hexdigest()[:20]}",
        "status": "active",
        "name": "Demo care team",
        "subject": {"reference": f"Patient/{patient_id}"},
        "participant": [{"member": clinic.OSEI.ref}],
    }
