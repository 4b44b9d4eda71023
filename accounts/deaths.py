"""That an EHR says a patient has died: kept for staff to look at, once, and told to nobody.

A flag at an EHR can be wrong, and would shut out somebody who lives: so nothing closes by it.
"""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.legal_models import DeathSign
from accounts.models import Patient
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

if TYPE_CHECKING:
    from accounts.models import User

QUIET = timedelta(days=30)  # after staff said that they live, in which the EHR may correct itself
Verdict = DeathSign.Verdict


def noticed(patient_id: UUID, source: str) -> DeathSign | None:
    """Keep it, with an event and a case. None where it is known, was looked at, or is no news."""
    patient = Patient.objects.filter(pk=patient_id, died_on=None, merged_into=None).first()
    known = DeathSign.objects.filter(patient_id=patient_id, source=source)
    recent = known.filter(settled_at__gt=timezone.now() - QUIET)
    if patient is None or known.filter(settled_at=None).exists() or recent.exists():
        return None
    with transaction.atomic():
        sign, is_new = DeathSign.objects.get_or_create(patient=patient, source=source, settled_at=None)
        if not is_new:
            return None
        record(
            Entry(
                type=EventType.PATIENT_FLAG,
                outcome=Outcome.DONE,
                actor=f"Source/{source}",
                role=Role.SYSTEM,
                patient=f"Patient/{patient.pk}",
                target=f"DeathSign/{sign.pk}",
            )
        )
        import_string(settings.DEATH_SIGN_CALL)(patient, source)
    return sign


@transaction.atomic
def settle(patient: Patient, verdict: str, *, by: "User") -> int:
    """Staff has looked: what all open signs of this patient were. Returns how many there were."""
    signs = DeathSign.objects.select_for_update().filter(patient=patient, settled_at=None)
    for sign in signs:
        sign.verdict, sign.settled_at, sign.settled_by = verdict, timezone.now(), by
        sign.save(update_fields=["verdict", "settled_at", "settled_by"])
        record(
            Entry(
                type=EventType.ADMIN_CHANGE,
                outcome=Outcome.DONE,
                actor=f"User/{by.pk}",
                role=Role.COMPLIANCE,
                patient=f"Patient/{patient.pk}",
                target=f"DeathSign/{sign.pk}",
                detail={"step": verdict},
            )
        )
    return len(signs)
