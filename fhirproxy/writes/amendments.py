"""Corrections as the law has them: the clock, its one extension, and the statement that follows a no.

45 CFR 164.526: the clinic acts within 60 days of the request (b)(2)(i), and may take 30 more once, if it says
why and until when within the 60 (b)(2)(ii). Who is refused may have a statement stand beside the item (d).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.events import EventType
from consent.requester import Requester
from fhirproxy.models import WriteCommand
from fhirproxy.writes import bodies, deciding
from fhirproxy.writes.states import WrongState
from fhirproxy.writes.steps import step
from notices import commands as notices

KIND, STATEMENT = "corrections", "disagreements"
DAYS, MORE = timedelta(days=60), timedelta(days=30)
# Why it takes longer; each is the `reason` of the event that says so.
REASONS: Collection[str] = ("amendment.asks-others", "amendment.old-papers", "amendment.many-requests")
Status = WriteCommand.Status
WAITING = (Status.AWAITING_REVIEW, Status.APPROVED, Status.SUBMITTING, Status.UNKNOWN, Status.CONFLICT)


@dataclass(frozen=True, slots=True)
class Clock:
    due_at: datetime
    extended_for: str = ""  # one of REASONS, where the 30 days were taken
    is_running: bool = True


def clock(command: WriteCommand) -> Clock | None:
    """Until when the clinic answers; None for what is no correction."""
    if command.kind != KIND:
        return None
    taken = command.events.filter(reason__in=REASONS).values_list("reason", flat=True).first() or ""
    due_at = command.created_at + DAYS + (MORE if taken else timedelta())
    return Clock(due_at, taken, command.status in WAITING)


def extend(command: WriteCommand, *, requester: Requester, by: User, reason: str) -> Clock:
    """The clinic takes 30 days more, once, within the first 60; the patient is told.

    Raises WrongState where that cannot be, ValueError for a reason that is none, NotAllowed.
    """
    if reason not in REASONS:
        raise ValueError(reason)
    call = deciding.call_for(requester, command.source, "review", command.resource_type)
    deciding.decide(call, command.resource.encode())
    with transaction.atomic():
        command = WriteCommand.objects.select_for_update().get(pk=command.pk)
        now = clock(command)
        waits = command.status in (Status.AWAITING_REVIEW, Status.CONFLICT)
        if now is None or now.extended_for or not waits or now.due_at <= timezone.now():
            raise WrongState("a correction is put off once, and in its first 60 days")
        step(command, command.status, EventType.WRITE_EXTEND, by=(requester, by), reason=reason)
        author = command.author
        to = {"recipient": f"User/{author.pk}", "email": author.email, "language": author.language}
        notices.enqueue("write_extended", **to, context={})
    found = clock(command)
    assert found is not None
    return found


def may_disagree(command: WriteCommand) -> bool:
    """Whether a statement can follow it: it was refused for good, and none was made."""
    return command.kind == KIND and command.status == Status.REJECTED and statement_of(command) is None


def statement_of(command: WriteCommand) -> WriteCommand | None:
    """The statement that followed a refused correction: it was made about the same item, after it."""
    about = bodies.read(command.resource).get("about")
    later = WriteCommand.objects.filter(
        patient=command.patient_id, kind=STATEMENT, created_at__gt=command.created_at
    ).exclude(status__in=(Status.CANCELLED, Status.BLOCKED))
    return next((each for each in later if bodies.read(each.resource).get("about") == about), None)
