"""`manage.py activation PATIENT`: a code with which a patient makes their account, to hand to them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import activation
from accounts.models import Patient
from consent import ages


class Command(BaseCommand):
    help = "Make an activation code for a patient. An open one of theirs is void from then on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("patient", help="the id of the patient's row, or source/FHIR id")

    def handle(self, *args: Any, patient: str, **options: Any) -> None:
        source, _, fhir_id = patient.rpartition("/")
        try:
            wanted = (
                {"identities__source": source, "identities__fhir_id": fhir_id, "identities__ended_at": None}
                if source
                else {"pk": patient}
            )
            found = Patient.objects.get(**wanted)
            ages.check_sign_in(found, timezone.now())
            code = activation.issue(found, by=None)
        except (Patient.DoesNotExist, ValidationError) as error:
            raise CommandError("There is no such patient.") from error
        except activation.Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{code}  (for {activation.LASTS.days} days, once)")
