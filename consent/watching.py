"""A record that is watched closely: staff open it with a reason only, and privacy staff are told each time.

It is for those whom many would like to look at: the gate refuses treating staff until they gave a reason
(`consent.emergencies`), and billing altogether. What the patient and their helpers and apps see stays.
"""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Patient, StaffRole, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent import staff
from consent.models import Epoch
from consent.versions import lock
from notices import commands as notices

TOLD = (StaffRole.Role.PRIVACY_OFFICER, StaffRole.Role.COMPLIANCE)


@transaction.atomic
def change(patient: Patient, *, watched: bool, by: User) -> bool:
    """Have a record watched, or no longer. False, and nothing changed, where it is so already.

    What was decided before and has not left yet does not leave. Who may not do it is refused; that stands
    in the log. Raises nothing.
    """
    lock(patient.pk)
    permitted = staff.may(by, staff.Action.WATCH_RECORD) and patient.user_id != by.pk
    found = Patient.objects.filter(pk=patient.pk, watched_since__isnull=watched)
    done = permitted and bool(found.update(watched_since=timezone.now() if watched else None))
    if done:
        Epoch.objects.get_or_create(patient_id=patient.pk)
        Epoch.objects.filter(patient_id=patient.pk).update(number=F("number") + 1)
    if done or not permitted:
        _log(patient, by, watched=watched, permitted=permitted)
    return done


def tell_privacy_staff(patient: Patient, *, kept_from: User) -> None:
    """That a watched record was opened; nothing for any other. Who opened it is not told of it."""
    if patient.watched_since is None:
        return
    readers = User.objects.filter(staff_roles__role__in=TOLD, is_active=True).exclude(pk=kept_from.pk)
    for reader in readers.exclude(patient=patient).distinct():
        notices.enqueue(
            "watched_opened",
            recipient=f"User/{reader.pk}",
            email=reader.email,
            language=reader.language,
            context={},
        )


def _log(patient: Patient, by: User, *, watched: bool, permitted: bool) -> None:
    record(
        Entry(
            type=EventType.RECORD_WATCH,
            outcome=Outcome.DONE if permitted else Outcome.DENY,
            actor=f"User/{by.pk}",
            role=Role.COMPLIANCE,
            patient=f"Patient/{patient.pk}",
            reasons=() if permitted else ("role.not-allowed",),
            detail={"watched": watched},
        )
    )
