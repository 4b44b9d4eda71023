"""Investigations: opened by a patient's question, an alert or a search; each change stands in the log."""

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Patient, StaffRole, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance.models import InvestigatedEvent, Investigation, InvestigationStep
from notices import commands as notices

Status = Investigation.Status
# Where an investigation may go from where it stands.
NEXT: Mapping[str, frozenset[str]] = {
    Status.RECEIVED: frozenset({Status.LOOKING, Status.ANSWERED, Status.CLOSED}),
    Status.LOOKING: frozenset({Status.ANSWERED, Status.CLOSED}),
    Status.ANSWERED: frozenset({Status.LOOKING, Status.CLOSED}),
    Status.CLOSED: frozenset({Status.LOOKING}),
}
OPEN = (Status.RECEIVED, Status.LOOKING)
ALARMED = (StaffRole.Role.PRIVACY_OFFICER, StaffRole.Role.COMPLIANCE)  # told when the log is not well
MOST_EVENTS = 1_000  # in one investigation


class NotNow(ValueError):
    """What was asked for does not fit where the investigation stands, or says nothing."""


class OwnDoing(NotNow):
    """Who would look into it did it, or asked."""


@transaction.atomic
def ask(event: AuditEvent, *, patient: Patient, by: User, text: str = "") -> Investigation:
    """ "I do not know who this is." Asking again about the same event leads to the question that is open."""
    Patient.objects.select_for_update().get(pk=patient.pk)
    asked = Investigation.objects.filter(
        patient=patient, origin=Investigation.Origin.PATIENT, status__in=OPEN, events__event_id=event.id
    ).first()
    if asked:
        return asked
    return _open(
        Investigation(origin=Investigation.Origin.PATIENT, patient=patient, question=text), [event], by
    )


@transaction.atomic
def open_case(
    *,
    by: User,
    origin: str,
    events: Iterable[AuditEvent] = (),
    patient: Patient | None = None,
    search: Mapping[str, str] | None = None,
) -> Investigation:
    """One that staff, or an alert, opened. Raises NotNow for more than MOST_EVENTS events."""
    events = list(events)
    if len(events) > MOST_EVENTS:
        raise NotNow(f"An investigation takes {MOST_EVENTS} events. Narrow the search.")
    return _open(Investigation(origin=origin, patient=patient, search=dict(search or {})), events, by)


def alarm(state: str, what: str) -> Investigation:
    """The log was found "broken" or "truncated", and where (AUDIT_ALARM). One case for one finding, and an
    e-mail to each of those who look after the log."""
    found = {"log": state, "what": what}
    alert = Investigation.Origin.ALERT
    if known := Investigation.objects.filter(origin=alert, search=found, status__in=OPEN).first():
        return known
    case = _open(Investigation(origin=alert, search=found), [], None)
    for reader in User.objects.filter(is_active=True, staff_roles__role__in=ALARMED).distinct():
        notices.enqueue(
            "log_alarm",
            recipient=f"User/{reader.pk}",
            email=reader.email,
            language=reader.language,
            context={},
        )
    return case


def sign_of_death(patient: Patient, source: str) -> Investigation:
    """An EHR says that a patient has died (DEATH_SIGN_CALL): a case, until staff has looked."""
    return _open(
        Investigation(origin=Investigation.Origin.ALERT, patient=patient, search={"died": source}), [], None
    )


def _open(case: Investigation, events: Iterable[AuditEvent], by: User | None) -> Investigation:
    case.opened_by = by
    case.save()
    InvestigatedEvent.objects.bulk_create(
        InvestigatedEvent(investigation=case, event_id=e.id, recorded_at=e.recorded_at) for e in events
    )
    _step(case, Status.RECEIVED, by)
    _log(EventType.INVESTIGATION_OPEN, case, by, case.origin)
    return case


@transaction.atomic
def take(case: Investigation, *, by: User) -> Investigation:
    """Work on it: from now on the patient reads that somebody looks at it."""
    case = _impartial(_locked(case), by)
    case.assigned_to = by
    if case.status != Status.LOOKING:
        _move(case, Status.LOOKING)
    case.save(update_fields=["assigned_to", "status"])
    _step(case, "assigned", by)
    _log(EventType.INVESTIGATION_CHANGE, case, by, "assigned")
    return case


@transaction.atomic
def note(case: Investigation, *, by: User, text: str) -> None:
    """Keep something for colleagues. Raises NotNow for an empty one."""
    if not text.strip():
        raise NotNow("Write the note first.")
    _step(_locked(case), "note", by, text)
    _log(EventType.INVESTIGATION_CHANGE, case, by, "note")


@transaction.atomic
def answer(case: Investigation, *, by: User, text: str) -> Investigation:
    """Tell the patient what was found; they get a notice without a word of it. Raises NotNow."""
    case = _impartial(_locked(case), by)
    if not text.strip():
        raise NotNow("Write the answer first.")
    _move(case, Status.ANSWERED)
    case.answer, case.answered_at = text.strip(), timezone.now()
    case.save(update_fields=["status", "answer", "answered_at"])
    _step(case, Status.ANSWERED, by)
    _log(EventType.INVESTIGATION_ANSWER, case, by, Status.ANSWERED)
    reader = case.patient.user if case.patient else None
    if reader and case.origin == Investigation.Origin.PATIENT:
        notices.enqueue(
            "question_answered",
            recipient=f"User/{reader.pk}",
            email=reader.email,
            language=reader.language,
            context={},
        )
    return case


@transaction.atomic
def close(case: Investigation, *, by: User) -> Investigation:
    """Nothing more is to be done. Raises NotNow while a patient waits for an answer."""
    case = _impartial(_locked(case), by)
    if case.origin == Investigation.Origin.PATIENT and not case.answer:
        raise NotNow("The patient waits for an answer.")
    _move(case, Status.CLOSED)
    case.save(update_fields=["status"])
    _step(case, Status.CLOSED, by)
    _log(EventType.INVESTIGATION_CHANGE, case, by, Status.CLOSED)
    return case


@transaction.atomic
def hold(case: Investigation, *, by: User, held: bool) -> Investigation:
    """Set a legal hold on its events, or end it."""
    case = _impartial(_locked(case), by)
    case.hold = held
    case.save(update_fields=["hold"])
    _step(case, "hold" if held else "hold-ended", by)
    _log(EventType.INVESTIGATION_CHANGE, case, by, "hold" if held else "hold-ended")
    return case


def held_partitions() -> frozenset[str]:
    """The months of the log ("audit_event_2026_11") that must not be dropped: those with events of an
    investigation that is held, or still open."""
    months = InvestigatedEvent.objects.filter(
        Q(investigation__hold=True) | Q(investigation__status__in=OPEN)
    ).datetimes("recorded_at", "month", tzinfo=UTC)
    return frozenset(f"audit_event_{month:%Y_%m}" for month in months)


def holds_month(month: str) -> bool:
    """Whether a month ("2026-11") must be kept: what AUDIT_HOLD_CHECK names."""
    return f"audit_event_{month.replace('-', '_')}" in held_partitions()


def events_of(case: Investigation) -> list[AuditEvent]:
    """Its rows of the log, newest first."""
    ids = list(case.events.values_list("event_id", flat=True))
    return list(AuditEvent.objects.filter(id__in=ids).order_by("-recorded_at", "-id"))


def _locked(case: Investigation) -> Investigation:
    return Investigation.objects.select_for_update().get(pk=case.pk)


def _impartial(case: Investigation, by: User) -> Investigation:
    """A patient's question is not for whoever did what it is about. Raises OwnDoing."""
    own = case.patient is not None and case.patient.user_id == by.pk
    did = (e for e in events_of(case) if f"User/{by.pk}" in (e.actor, e.on_behalf_of))
    if case.origin == Investigation.Origin.PATIENT and (own or any(did)):
        raise OwnDoing("This is about what you did, or asked. A colleague must look into it.")
    return case


def _move(case: Investigation, status: str) -> None:
    if status not in NEXT[case.status]:
        raise NotNow(f"It is {case.status} now.")
    case.status = status


def _step(case: Investigation, what: str, by: User | None, text: str = "") -> None:
    InvestigationStep.objects.create(investigation=case, what=what, by=by, note=text)


def log_refused(case: Investigation, *, by: User, what: str) -> None:
    """That somebody tried to look into their own doing; after the transaction that was refused."""
    _log(EventType.INVESTIGATION_CHANGE, case, by, what, Outcome.DENY)


def _log(
    event: EventType, case: Investigation, by: User | None, what: str, outcome: Outcome = Outcome.DONE
) -> None:
    own = by is not None and case.patient is not None and case.patient.user_id == by.pk
    fields: dict[str, Any] = {"patient": f"Patient/{case.patient_id}"} if case.patient_id else {}
    record(
        Entry(
            type=event,
            outcome=outcome,
            reasons=("role.not-allowed",) if outcome is Outcome.DENY else (),
            actor=f"User/{by.pk}" if by else "System/monitor",
            role=Role.PATIENT if own else Role.COMPLIANCE if by else Role.SYSTEM,
            target=f"Investigation/{case.pk}",
            detail={"step": what},
            **fields,
        )
    )
