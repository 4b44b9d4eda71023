"""`manage.py leaving --by STAFF close USER | died PATIENT --on DAY`: somebody leaves for good."""

from datetime import date
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identities import Refused
from accounts.models import Patient, User
from consent import leaving


class Command(BaseCommand):
    help = "Close the account of somebody who left, or record that a patient has died."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", required=True, help="the member of staff who acts: e-mail or id")
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("close").add_argument("user", help="e-mail or id")
        died = actions.add_parser("died")
        died.add_argument("patient", help="the id of the patient's row")
        died.add_argument("--on", required=True, type=date.fromisoformat, help="the day, as 2026-11-23")

    def handle(self, *args: Any, by: str, action: str, **options: Any) -> None:
        try:
            if action == "close":
                leaving.close(_user(options["user"]), by=_user(by))
            else:
                patient = Patient.objects.select_related("user").get(pk=options["patient"])
                leaving.record_death(patient, options["on"], by=_user(by))
        except Refused as error:
            raise CommandError(f"{error} ({error.code})") from error
        except (ObjectDoesNotExist, ValidationError, ValueError) as error:
            raise CommandError("There is no such person or patient.") from error
        self.stdout.write("Done.")


def _user(said: str) -> User:
    return User.objects.get(email__iexact=said) if "@" in said else User.objects.get(pk=said)
