"""What the law says of a patient, as staff found it: as of age, under whose law, not able to decide.

Decisions read the patient's row at each request (`consent.ages`, `consent.helper_rights`), so that a change
holds from the next one. What it takes the ground from ends here, and both sides are told.
"""

from datetime import date
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts import identities
from accounts.identities import Refused
from accounts.legal_models import LegalChange
from accounts.models import Patient, RelatedPerson
from accounts.relation_states import HELPING, LIVING, Why
from audit.events import EventType, Role
from consent import ages, helping, jurisdictions
from consent.merging import change_identities
from notices import commands as notices

if TYPE_CHECKING:
    from accounts.models import User

What, Basis = LegalChange.What, RelatedPerson.Basis
FEWEST_LETTERS = 5  # of the reason, and of the evidence


def change(patient: Patient, what: str, value: str, *, evidence: str, reason: str, by: "User") -> Patient:
    """`value`: a day (ISO 8601) or the code of a law; empty takes it back. Raises Refused: logged."""
    try:
        return _change(patient, what, value, evidence.strip(), reason.strip(), by)
    except Refused as error:
        _log(patient, what, by, refused=error.code)
        raise


@transaction.atomic
def _change(patient: Patient, what: str, value: str, evidence: str, reason: str, by: "User") -> Patient:
    change_identities(patient.pk)  # locks; what is being answered now is decided anew
    patient = Patient.objects.select_related("user").get(pk=patient.pk)
    _check(patient, what, value, by)
    if min(len(evidence), len(reason)) < FEWEST_LETTERS:
        raise Refused("legal.reason", "Say what you have seen, where it is kept, and why.")
    LegalChange.objects.create(
        patient=patient, what=what, value=value, evidence=evidence[:200], reason=reason[:500], made_by=by
    )
    field = FIELDS[What(what)]
    setattr(patient, field, value if what == What.JURISDICTION else _day(value))
    patient.save(update_fields=[field])
    _log(patient, what, by)
    _end_what_lost_its_ground(patient, what)
    _tell(patient)
    return patient


FIELDS = {
    What.EMANCIPATED: "emancipated_on",
    What.JURISDICTION: "jurisdiction",
    What.CAPACITY: "incapable_since",
}


def _check(patient: Patient, what: str, value: str, by: "User") -> None:
    if not identities.may_decide(by) or by.pk == patient.user_id:
        raise Refused("role.not-allowed", "Only privacy staff and administrators do this, for others.")
    if what not in What.values or patient.died_on or patient.merged_into_id:
        raise Refused("legal.value", "This cannot be said of this patient now.")
    if value == str(getattr(patient, FIELDS[What(what)]) or ""):
        raise Refused("legal.value", "This is what holds already.")
    if what == What.JURISDICTION:
        if value and value not in jurisdictions.table():
            raise Refused("legal.value", "There is no such law in the table.")
        return
    day, today = _day(value), ages.today_of(patient, timezone.now())
    if day and not patient.birth_date <= day <= today:
        raise Refused("legal.value", "The day is between the birth and today.")
    if day and what == What.EMANCIPATED and ages.age_at(patient, timezone.now()) >= _of_age(patient):
        raise Refused("legal.value", "They are of age already.")


def _of_age(patient: Patient) -> int:
    return ages.law_of(patient).minor_until


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Refused("legal.value", "A day is written as 2026-11-23.") from None


def _end_what_lost_its_ground(patient: Patient, what: str) -> None:
    """A parent's authority over who is of age now; help for who can decide again."""
    ends: dict[str, Why] = {}
    if not ages.is_minor(patient, timezone.now()):
        of_age = ages.age_at(patient, timezone.now()) >= _of_age(patient)
        ends[Basis.PARENT] = Why.OF_AGE if of_age else Why.EMANCIPATED
    if what == What.CAPACITY and patient.incapable_since is None:
        ends[Basis.CAPACITY] = Why.CAN_DECIDE
    for relation in patient.helpers.filter(basis__in=ends, status__in=HELPING):
        helping.end(relation, ends[relation.basis], by=None, role=Role.SYSTEM)


def _tell(patient: Patient) -> None:
    """The patient, and whoever helps them still; who no longer does was told with the end."""
    for user, kind, context in (
        (patient.user, "legal_changed", {}),
        *(
            (relation.user, "helping_changed", {"patient": patient.name})
            for relation in patient.helpers.filter(status__in=LIVING).select_related("user")
        ),
    ):
        if user:
            notices.enqueue(
                kind, recipient=f"User/{user.pk}", email=user.email, language=user.language, context=context
            )


def _log(patient: Patient, what: str, by: "User", refused: str = "") -> None:
    said = what if what in What.values else ""
    identities.log(
        EventType.PATIENT_LEGAL, patient, f"Patient/{patient.pk}", by=by, refused=refused, what=said
    )
