"""Breaking the glass: a clinician opens a record in an emergency, for minutes, and answers for it.

It is an exception that is modelled, and no way around the gate: the organisation's rule `break-glass`
must permit it, the patient's own no holds, `emergency.toml` says which private topics stay closed, and
each read is decided and recorded like any other, with the purpose ETREAT.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts import closeness
from accounts.models import Patient, RelatedPerson, User
from accounts.relation_states import HELPING
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from consent import authority, staff, watching
from consent.decision import Access, decide
from consent.emergency_models import EmergencyAccess
from consent.models import Epoch
from consent.versions import lock
from consent.vocabulary import Category, Purpose
from notices import commands as notices

FEWEST_LETTERS = 10  # of the reason in words
MOST_MISSES = 10  # records that were not found, of one clinician in an hour
TREATING = EmergencyAccess.Why.TREATING
_OPENED = (EventType.EMERGENCY_OPEN, EventType.REASON_OPEN)  # not treating, treating
_ENDED = (EventType.EMERGENCY_END, EventType.REASON_END)


class Refused(ValueError):
    """An emergency view that is not given. `code` stands in the log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def running(user: User, patient: Patient) -> EmergencyAccess | None:
    """That of an emergency first, where a reason was given as well."""
    views = list(EmergencyAccess.objects.running().filter(user=user, patient=patient))
    return next((view for view in views if not view.is_treating), next(iter(views), None))


def opened_by(user: User) -> QuerySet[EmergencyAccess, Any]:
    """Ids of the patients whose record is open to a clinician now."""
    return EmergencyAccess.objects.running().filter(user=user).values("patient_id")


def survivor(patient: Patient) -> Patient:
    """Whose record it is now: that of the one whom a merged patient became."""
    while patient.merged_into is not None:
        patient = patient.merged_into
    return patient


def open_record(user: User, patient: Patient, *, why: str, text: str, on_team: bool) -> EmergencyAccess:
    """Open a record for `EMERGENCY_MINUTES`, tell the patient at once, and put it up for review.

    With the reason `treating` it is no emergency: who treats the patient opens a record that asks for a
    reason (`accounts.closeness`), and sees what treatment lets them see.

    Asked again while it is open, it is the view that is open. Raises Refused, which stands in the log.
    """
    patient = survivor(patient)
    if code := _objection(user, patient, why, text, on_team):
        _log_refusal(user, patient, code)
        raise Refused(code)
    return _open(user, patient, why=why, text=text.strip(), on_team=on_team)


def missed(user: User) -> None:
    """Write down that no record was found for what a clinician typed."""
    _log_refusal(user, None, "record.not-found")


def may_look(user: User) -> bool:
    """Whether a clinician may try once more: who guesses has to wait."""
    hour = timezone.now() - timedelta(hours=1)
    misses = AuditEvent.objects.filter(
        actor=f"User/{user.pk}", type=EventType.EMERGENCY_OPEN, outcome=Outcome.DENY, recorded_at__gt=hour
    )
    return misses.count() < MOST_MISSES


def end(view: EmergencyAccess, *, by: User) -> bool:
    """End it before its time. False, and nothing changed, where it is over."""
    with transaction.atomic():
        lock(view.patient_id)
        ended = EmergencyAccess.objects.running().filter(pk=view.pk).update(ended_at=Now())
        if ended:
            _answers_end(view)
            _log(_ENDED[view.is_treating], view, by)
        return bool(ended)


def end_all_of(user: User) -> int:
    """All that a person has open, when their sign-in is not to be trusted any more."""
    return sum(end(view, by=user) for view in EmergencyAccess.objects.running().filter(user=user))


def _objection(user: User, patient: Patient, why: str, text: str, on_team: bool) -> str:
    """Why not; empty where nothing speaks against it."""
    if not staff.may(user, staff.Action.BREAK_GLASS):
        return "role.not-allowed"
    if patient.user_id == user.pk:
        return "emergency.own"
    if why not in EmergencyAccess.Why.values or len(text.strip()) < FEWEST_LETTERS:
        return "emergency.reason"
    if why == TREATING:
        return "" if on_team else "emergency.treating"
    asked = authority.for_emergency(user, patient, assumed=True)
    access = Access(
        "read",
        "AllergyIntolerance",
        at=asked.now,
        purpose=asked.purpose,
        categories=frozenset({Category.ALLERGIES}),
        actors=asked.actors,
        beforehand=True,
    )
    return next(iter(decide(access, asked.authority("read")).reasons), "")


@transaction.atomic
def _open(user: User, patient: Patient, *, why: str, text: str, on_team: bool) -> EmergencyAccess:
    lock(patient.pk)
    view = running(user, patient)
    if view is None or (view.is_treating and why != TREATING):
        window = timedelta(minutes=settings.EMERGENCY_MINUTES)
        view = EmergencyAccess.objects.create(
            user=user,
            patient=patient,
            why=why,
            text=text,
            on_team=on_team,
            opened_at=Now(),  # the database's clock, by which it ends too
            ends_at=Now() + window,
        )
        view.refresh_from_db()
        _tell(view)
        _log(_OPENED[view.is_treating], view, user, why=why, on_team=on_team, **_how_close(user, patient))
    else:
        _log(_OPENED[view.is_treating], view, user, why=why, again=True)
    return view


def _how_close(user: User, patient: Patient) -> dict[str, str]:
    found = closeness.close(user, patient)
    return {"close": found.value} if found else {}


def _answers_end(view: EmergencyAccess) -> None:
    """What was decided by it and has not left yet does not leave."""
    Epoch.objects.get_or_create(patient_id=view.patient_id)
    Epoch.objects.filter(patient_id=view.patient_id).update(number=F("number") + 1)


def _tell(view: EmergencyAccess) -> None:
    """The patient, or who decides for one who does not sign in; of a watched record, privacy staff too."""
    patient, kind = view.patient, "reason_opened" if view.is_treating else "emergency_opened"
    watching.tell_privacy_staff(patient, kept_from=view.user)
    if patient.user:
        _notice(kind, patient.user)
        return
    deciding = Q(basis__in=(RelatedPerson.Basis.PARENT, RelatedPerson.Basis.GUARDIAN))
    for relation in patient.helpers.filter(deciding, status__in=HELPING).select_related("user"):
        _notice(f"{kind}_helper", relation.user, patient=patient.name)


def _notice(kind: str, reader: User, **context: str) -> None:
    notices.enqueue(
        kind,
        recipient=f"User/{reader.pk}",
        email=reader.email,
        language=reader.language,
        context=context,
    )


def _log(event: EventType, view: EmergencyAccess, by: User, **detail: str | bool) -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.PERMIT if event in _OPENED else Outcome.DONE,
            actor=f"User/{by.pk}",
            role=Role.CLINICIAN,
            patient=f"Patient/{view.patient_id}",
            purpose=Purpose.TREAT if view.is_treating else Purpose.ETREAT,
            target=f"EmergencyAccess/{view.pk}",
            detail=detail,
        )
    )


def _log_refusal(user: User, patient: Patient | None, code: str) -> None:
    record(
        Entry(
            type=EventType.EMERGENCY_OPEN,
            outcome=Outcome.DENY,
            actor=f"User/{user.pk}",
            role=Role.CLINICIAN,
            patient=f"Patient/{patient.pk}" if patient else "",
            purpose=Purpose.ETREAT,
            reasons=(code,),
        )
    )
