"""Whose record a person may let an app into: their own, or that of a patient whom they treat."""

from dataclasses import dataclass
from uuid import UUID

from accounts.models import Patient, RelatedPerson, StaffRole, User
from accounts.relation_states import HELPING
from consent import helper_rights
from fhirproxy import treating
from smart.models import AuthorizationRequest, Launch

MOST = 200  # on one page


@dataclass(frozen=True, slots=True)
class Subject:
    patient: Patient
    as_staff: bool  # a clinician's app sees what the clinician may see, and rests on no consent
    relation: RelatedPerson | None = None  # so does a helper's, by what they were given


def subjects(user: User) -> list[Subject]:
    """Their own record first."""
    own = Patient.objects.filter(user=user).first()
    clinician = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exists()
    treated = treating.patients_of(user).order_by("name", "pk").distinct()[:MOST] if clinician else ()
    return [
        *([Subject(own, as_staff=False)] if own else []),
        *(Subject(patient, as_staff=True) for patient in treated),
        *(Subject(r.patient, as_staff=True, relation=r) for r in _may_share(user)),
    ]


def _may_share(user: User) -> list[RelatedPerson]:
    """Those whom they help now, and for whom they may connect apps."""
    rows = user.helps.filter(may_share=True, status__in=HELPING).select_related("patient")
    return [
        r for r in rows.order_by("patient__name", "pk")[:MOST] if helper_rights.standing(r).reason is None
    ]


def helped(user: User) -> list[Patient]:
    """Whom they help without leave to connect apps: that is the patient's own to do."""
    rows = user.helps.filter(may_share=False, status__in=HELPING).select_related("patient")
    return [
        r.patient for r in rows.order_by("patient__name", "pk") if helper_rights.standing(r).reason is None
    ]


def chosen(asked: AuthorizationRequest, user: User, launch: Launch | None) -> Subject | None:
    """Whom the answer is about: as launched, as picked, or the only one there is. Looked up each time."""
    found = subjects(user)
    if launch:
        opened = (launch.patient_id, launch.helper_id)
        return next(
            (s for s in found if (s.patient.pk, s.relation.pk if s.relation else None) == opened), None
        )
    if wanted := asked.parameters.get("record"):
        return next((each for each in found if str(each.patient.pk) == wanted), None)
    return found[0] if len(found) == 1 else None


def is_one_of(user: User, patient_id: str) -> UUID | None:
    """The id, if it is that of a patient whom this person may choose."""
    return next((s.patient.pk for s in subjects(user) if str(s.patient.pk) == patient_id), None)
