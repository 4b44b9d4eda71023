"""`manage.py test_patient PATIENT`: say that a person is made up, so that apps on trial work with them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import Patient
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record


class Command(BaseCommand):
    help = "Mark a patient as made up: apps that nobody has looked at may then see their record."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("patient", help="the id of the patient's row")
        parser.add_argument("--off", action="store_true", help="a real person after all")

    @transaction.atomic
    def handle(self, *args: Any, patient: str, off: bool, **options: Any) -> None:
        try:
            found = Patient.objects.select_for_update().get(pk=patient)
        except (Patient.DoesNotExist, ValidationError) as error:
            raise CommandError("There is no such patient.") from error
        if found.is_test is not off:
            raise CommandError("That is so already.")
        found.is_test = not off
        found.save(update_fields=["is_test"])
        record(
            Entry(
                type=EventType.ADMIN_CHANGE,
                outcome=Outcome.DONE,
                actor="System/command",
                role=Role.SYSTEM,
                target=f"Patient/{found.pk}",
                detail={"change": "test-patient-off" if off else "test-patient-on"},
            )
        )
        self.stdout.write(f"Patient/{found.pk} is {'a real person' if off else 'made up'}.")
