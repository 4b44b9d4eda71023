"""Which record at an EHR is whose: look, join, part, merge. Says ids and codes, never who somebody is."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.identities import Refused
from accounts.matching import Verdict
from accounts.models import Patient, PatientIdentity, User
from consent import merging
from fhirproxy import identities
from fhirproxy.outcomes import EhrFailure


class Command(BaseCommand):
    help = "Find, join and part a patient's records at EHRs; merge two patients, or part them again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", required=True, help="the member of staff who acts: e-mail or id")
        actions = parser.add_subparsers(dest="action", required=True)
        for name, arguments in ARGUMENTS.items():
            action = actions.add_parser(name, help=HELP[name])
            for argument in arguments:
                action.add_argument(argument)
            if name == "find":
                action.add_argument("--keep", action="store_true", help="keep what was found as proposals")
            else:
                action.add_argument("--reason", required=True, help="why, in your own words")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            by = options["by"]
            actor = User.objects.get(email__iexact=by) if "@" in by else User.objects.get(pk=by)
            getattr(self, options["action"])(actor, **options)
        except Refused as error:
            raise CommandError(f"{error} ({error.code})") from error
        except EhrFailure as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        except (ObjectDoesNotExist, ValidationError, ValueError) as error:
            raise CommandError("There is no person, patient or identity of that id.") from error

    def find(self, actor: User, *, patient: str, source: str, keep: bool, **_: Any) -> None:
        found = identities.find(actor, Patient.objects.get(pk=patient), source, keep=keep)
        self.stdout.write(f"{source}: {found.verdict}")
        for one in found.candidates:
            if one.verdict is not Verdict.NONE:
                agreed, differed = " ".join(sorted(one.agreed)), " ".join(sorted(one.differed))
                said = f"agreed: {agreed or '-'}; differed: {differed or '-'}"
                self.stdout.write(f"  {one.candidate.fhir_id} {one.verdict} ({said})")
        if found.partial:
            self.stdout.write(
                "The EHR did not answer each question: this is partial, and only staff can join it."
            )
        self.stdout.write("Kept as proposals." if keep else "Nothing was kept. Say --keep to keep proposals.")

    def link(self, actor: User, *, patient: str, source: str, fhir_id: str, reason: str, **_: Any) -> None:
        identity = identities.link(actor, Patient.objects.get(pk=patient), source, fhir_id, reason)
        self.stdout.write(f"Joined: {identity}")

    def unlink(self, actor: User, *, identity: str, reason: str, **_: Any) -> None:
        identities.unlink(actor, PatientIdentity.ever.get(pk=identity), reason)
        self.stdout.write(f"Parted: PatientIdentity/{identity}")

    def follow(self, actor: User, *, identity: str, reason: str, **_: Any) -> None:
        new = identities.follow(actor, PatientIdentity.objects.get(pk=identity), reason)
        self.stdout.write(f"Moved to the record that survived: {new}")

    def merge(self, actor: User, *, kept: str, merged: str, reason: str, **_: Any) -> None:
        into = merging.merge(actor, Patient.objects.get(pk=kept), Patient.objects.get(pk=merged), reason)
        self.stdout.write(f"Merged: Patient/{merged} into {into}. Sharing waits for the patient's yes.")

    def unmerge(self, actor: User, *, merged: str, reason: str, **_: Any) -> None:
        patient = merging.unmerge(actor, Patient.objects.get(pk=merged), reason)
        self.stdout.write(f"Parted: {patient}")


ARGUMENTS = {
    "find": ("patient", "source"),
    "link": ("patient", "source", "fhir_id"),
    "unlink": ("identity",),
    "follow": ("identity",),
    "merge": ("kept", "merged"),
    "unmerge": ("merged",),
}
HELP = {
    "find": "ask an EHR who the patient could be there",
    "link": "join one of its records to the patient's",
    "unlink": "undo a link",
    "follow": "go along where the EHR merged a record into another",
    "merge": "make one patient of two: the first is kept",
    "unmerge": "undo a merge",
}
