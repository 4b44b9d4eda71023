"""Elevation: more than the daily work needs, for one reason and some minutes, by the database's clock.

Whoever asks proves first that it is them (`stepup.Action.ELEVATION`); the caller sees to that.
"""

import math
import re
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts import endings
from accounts.elevation_models import Elevation
from accounts.models import Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from notices import commands as notices

FEWEST_LETTERS = 10  # of the reason in words
TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9#_-]{1,39}")


class Refused(ValueError):
    """An elevation that is not given. `code` stands in the log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def start(user: User, *, why: str, text: str, ticket: str, patient: Patient | None = None) -> Elevation:
    """Begin one. Nobody has two at a time: asked again, it is refused. Raises Refused, which is logged."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        code = _objection(user, why, text, ticket, patient)
        if not code:
            return _start(user, why=why, text=text.strip(), ticket=ticket, patient=patient)
    _log(EventType.ELEVATION_START, Outcome.DENY, user, patient, reasons=(code,))
    raise Refused(code)


def running(user: User) -> Elevation | None:
    return Elevation.objects.running().filter(user=user).select_related("patient").first()


def is_running(user: User) -> bool:
    return Elevation.objects.running().filter(user=user).exists()


def minutes_left(elevation: Elevation) -> int:
    """Whole ones, so that the last is 1."""
    return max(1, math.ceil((elevation.ends_at - timezone.now()).total_seconds() / 60))


@transaction.atomic
def end(elevation: Elevation) -> bool:
    """End it before its time. False, and nothing changed, where it is over."""
    ended = Elevation.objects.running().filter(pk=elevation.pk).update(ended_at=Now())
    if ended:
        target = f"Elevation/{elevation.pk}"
        _log(EventType.ELEVATION_END, Outcome.DONE, elevation.user, elevation.patient, target=target)
    return bool(ended)


def end_all_of(user: User) -> int:
    return sum(end(each) for each in Elevation.objects.running().filter(user=user))


endings.on_person_end["elevation"] = end_all_of


def _objection(user: User, why: str, text: str, ticket: str, patient: Patient | None) -> str:
    if why not in Elevation.Why.values or len(text.strip()) < FEWEST_LETTERS or not TICKET.fullmatch(ticket):
        return "elevation.reason"
    if patient and patient.user_id == user.pk:
        return "elevation.own"
    if patient and patient.watched_since:
        return "record.watched"  # who it is, only those who treat them see
    return "elevation.running" if is_running(user) else ""


def _start(user: User, *, why: str, text: str, ticket: str, patient: Patient | None) -> Elevation:
    elevation = Elevation.objects.create(
        user=user,
        patient=patient,
        why=why,
        text=text,
        ticket=ticket,
        started_at=Now(),
        ends_at=Now() + timedelta(minutes=settings.ELEVATION_MINUTES),
    )
    elevation.refresh_from_db()
    target = f"Elevation/{elevation.pk}"
    detail = {"why": why, "ticket": ticket}
    _log(EventType.ELEVATION_START, Outcome.PERMIT, user, patient, target=target, detail=detail)
    if patient and patient.user:
        notices.enqueue(
            "staff_elevated",
            recipient=f"User/{patient.user.pk}",
            email=patient.user.email,
            language=patient.user.language,
            context={},
        )
    return elevation


def _log(event: EventType, outcome: Outcome, user: User, patient: Patient | None, **fields: object) -> None:
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=f"User/{user.pk}",
            role=Role.SUPPORT,
            patient=f"Patient/{patient.pk}" if patient else "",
            **fields,  # type: ignore[arg-type]
        )
    )
