"""The review of emergency views: each within 24 hours, by somebody else, confirmed or made a case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance import investigations
from compliance.models import Investigation
from consent.emergency_models import EmergencyAccess
from consent.vocabulary import Purpose
from notices.models import Notice

Verdict = EmergencyAccess.Verdict
TO_REVIEW = timedelta(hours=24)
MONTHS = 12
MOST_EVENTS = 200


class NotNow(ValueError):
    """A review that cannot be: it was done, it is of one's own view, or it says nothing."""


@dataclass(frozen=True, slots=True)
class Month:
    """Of the views that were opened in one month: how many, and what became of them."""

    month: datetime
    opened: int
    confirmed: int
    escalated: int
    waiting: int
    late: int  # reviewed after the 24 hours, or not yet


def queue() -> Sequence[EmergencyAccess]:
    """Those that nobody has reviewed, the oldest first."""
    return list(_waiting().select_related("user", "patient").order_by("opened_at", "id"))


def late_count(now: datetime | None = None) -> int:
    """How many wait for longer than 24 hours."""
    return _waiting().filter(opened_at__lt=(now or timezone.now()) - TO_REVIEW).count()


def is_late(view: EmergencyAccess, now: datetime) -> bool:
    return view.reviewed_at is None and view.opened_at < now - TO_REVIEW


def seen_by(view: EmergencyAccess) -> list[AuditEvent]:
    """What the clinician read, or tried to, while it was open; oldest first."""
    until = view.ended_at or view.ends_at
    return list(
        AuditEvent.objects.filter(
            patient=f"Patient/{view.patient_id}",
            actor=f"User/{view.user_id}",
            purpose__in=(Purpose.ETREAT, Purpose.TREAT),
            recorded_at__gte=view.opened_at - timedelta(seconds=5),  # our clock, beside the database's
            recorded_at__lte=until + timedelta(seconds=5),
        ).order_by("recorded_at", "id")[:MOST_EVENTS]
    )


def notices_of(view: EmergencyAccess) -> list[Notice]:
    """That the patient, or who decides for them, was told."""
    kinds = ("emergency_opened", "emergency_opened_helper", "reason_opened", "reason_opened_helper")
    since, until = view.opened_at - timedelta(seconds=5), view.opened_at + timedelta(seconds=5)
    readers = [f"User/{pk}" for pk in view.patient.helpers.values_list("user_id", flat=True)]
    own = [f"User/{view.patient.user_id}"] if view.patient.user_id else []
    return list(
        Notice.objects.filter(kind__in=kinds, recipient__in=own or readers, created_at__range=(since, until))
    )


@transaction.atomic
def confirm(view: EmergencyAccess, *, by: User, note: str) -> EmergencyAccess:
    """It was right to open the record. Raises NotNow, which stands in the log."""
    return _review(view, Verdict.CONFIRMED, by, note)


@transaction.atomic
def escalate(view: EmergencyAccess, *, by: User, note: str) -> EmergencyAccess:
    """It needs a closer look: a case opens with all that was read. Raises NotNow."""
    view = _review(view, Verdict.ESCALATED, by, note)
    case = investigations.open_case(
        by=by, origin=Investigation.Origin.ALERT, events=seen_by(view), patient=view.patient
    )
    investigations.note(case, by=by, text=note)
    view.case_id = case.pk
    view.save(update_fields=["case_id"])
    return view


def by_month(now: datetime | None = None) -> list[Month]:
    """The last twelve months, newest first; months without any are left out."""
    since = (now or timezone.now()) - timedelta(days=31 * MONTHS)
    limit = (now or timezone.now()) - TO_REVIEW
    late = Q(reviewed_at=None, opened_at__lt=limit)
    rows = (
        EmergencyAccess.objects.filter(opened_at__gte=since)
        .annotate(month=TruncMonth("opened_at"))
        .values("month")
        .order_by("-month")
        .annotate(
            opened=Count("id"),
            confirmed=Count("id", filter=Q(verdict=Verdict.CONFIRMED)),
            escalated=Count("id", filter=Q(verdict=Verdict.ESCALATED)),
            waiting=Count("id", filter=Q(verdict="")),
            late=Count("id", filter=late | Q(reviewed_at__gt=F("opened_at") + TO_REVIEW)),
        )
    )
    return [Month(**row) for row in rows]


def _waiting() -> QuerySet[EmergencyAccess]:
    return EmergencyAccess.objects.filter(reviewed_at=None)


def _review(view: EmergencyAccess, verdict: str, by: User, note: str) -> EmergencyAccess:
    """Of two who review it at once, the second is told that it was done."""
    view = EmergencyAccess.objects.select_for_update(of=("self",)).select_related("patient").get(pk=view.pk)
    if view.reviewed_at:
        raise NotNow("Somebody else has reviewed it already. Nothing was changed.")
    if by.pk in (view.user_id, view.patient.user_id):
        raise NotNow("Nobody reviews a view of their own, or of their own record.")
    if not note.strip():
        raise NotNow("Write what you found first.")
    view.verdict, view.note = verdict, note.strip()
    view.reviewed_at, view.reviewed_by = timezone.now(), by
    view.save(update_fields=["verdict", "note", "reviewed_at", "reviewed_by"])
    record(_entry(view, by, Outcome.DONE, detail={"verdict": verdict}))
    return view


def note_refusal(view: EmergencyAccess, by: User) -> None:
    """Write down a review that could not be; after its transaction was rolled back."""
    record(_entry(view, by, Outcome.DENY, reasons=("emergency.reviewed",)))


def _entry(view: EmergencyAccess, by: User, outcome: Outcome, **fields: object) -> Entry:
    return Entry(
        type=EventType.EMERGENCY_REVIEW,
        outcome=outcome,
        actor=f"User/{by.pk}",
        role=Role.COMPLIANCE,
        patient=f"Patient/{view.patient_id}",
        target=f"EmergencyAccess/{view.pk}",
        **fields,  # type: ignore[arg-type]
    )
