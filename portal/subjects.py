"""Whose record a person may let an app into: their own, or that of a patient whom they treat."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from accounts.models import Patient, StaffRole, User
from consent.authority import HELPING
from fhirproxy import treating
from smart.models import AuthorizationRequest, Launch

MOST = 200  # on one page


@dataclass(frozen=True, slots=True)
class Subject:
    patient: Patient
    as_staff: bool  # a clinician's app sees what the clinician may see, and rests on no consent


def subjects(user: User) -> list[Subject]:
    """Their own record first."""
    own = Patient.objects.filter(user=user).first()
    clinician = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exists()
    treated = treating.patients_of(user).order_by("name", "pk").distinct()[:MOST] if clinician else ()
    return [
        *([Subject(own, as_staff=False)] if own else []),
        *(Subject(patient, as_staff=True) for patient in treated),
    ]


def helped(user: User) -> list[Patient]:
    """Whom they help. What a helper may do is read, so an app is the patient's own to connect."""
    running = Q(helpers__period_end=None) | Q(helpers__period_end__gt=timezone.now())
    mine = Patient.objects.filter(running, helpers__user=user, helpers__status__in=HELPING)
    return list(mine.distinct().order_by("name", "pk"))


def chosen(asked: AuthorizationRequest, user: User, launch: Launch | None) -> Subject | None:
    """Whom the answer is about: as launched, as picked, or the only one there is. Looked up each time."""
    found = subjects(user)
    wanted = str(launch.patient_id) if launch else asked.parameters.get("record")
    if wanted:
        return next((each for each in found if str(each.patient.pk) == wanted), None)
    return found[0] if len(found) == 1 else None


def is_one_of(user: User, patient_id: str) -> UUID | None:
    """The id, if it is that of a patient whom this person may choose."""
    return next((s.patient.pk for s in subjects(user) if str(s.patient.pk) == patient_id), None)
