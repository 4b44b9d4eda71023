"""A step of a command with all that belongs to it: its history, the log, and a notice to its author."""

from collections.abc import Mapping
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.models import User
from audit.events import EventType, Outcome
from consent import authority
from consent.decision import Reason
from consent.models import Consent
from consent.requester import Requester
from fhirproxy.models import WriteCommand
from fhirproxy.writes import deciding
from fhirproxy.writes.states import WAITING, S, move
from notices import commands as notices

WHY_NOT = "fhirproxy_why_not_sent(%s::uuid)"  # see migration 0003
NOT_YET = "write.order"  # another change of the same resource goes first
TOLD: Mapping[str, str] = {  # the notice: it says that, not what
    S.APPLIED: "write_added",
    S.SENT_BACK: "write_sent_back",
    S.REJECTED: "write_sent_back",
    S.BLOCKED: "write_blocked",
}


def step(
    command: WriteCommand,
    status: str,
    event: EventType,
    *,
    by: tuple[Requester, User] | None = None,
    outcome: Outcome = Outcome.DONE,
    reason: str = "",
    **changed: object,
) -> None:
    """In the caller's transaction; `by` nobody: the system. Raises WrongState."""
    move(command, status, by=by[1] if by else None, reason=reason, **changed)
    if by:
        deciding.log(event, command, by[0], reasons=(reason,) if reason else ())
    else:
        deciding.log_by_system(event, command, outcome, reason)
    if status in TOLD:
        author = command.author
        to = {"recipient": f"User/{author.pk}", "email": author.email, "language": author.language}
        notices.enqueue(TOLD[status], **to, context={})


def block(command: WriteCommand, reason: str) -> None:
    """What let it in has ended: nothing is sent."""
    step(command, S.BLOCKED, EventType.WRITE_BLOCK, outcome=Outcome.DENY, reason=reason)


def block_for_consent(consent_id: UUID) -> int:
    """End what a consent carried and the EHR has not got yet (see `consent.dependents`)."""
    found = WriteCommand.objects.select_for_update(of=("self",)).select_related("client", "author")
    commands = list(found.filter(consent_id=consent_id, status__in=WAITING).order_by("created_at"))
    reason = _why_ended(consent_id) if commands else ""
    for command in commands:
        block(command, reason)
    return len(commands)


def _why_ended(consent_id: UUID) -> str:
    consent = Consent.objects.get(pk=consent_id)
    facts = (consent.pk, consent.status, consent.period_end, consent.revoked_at)
    return authority.why_missing(*facts, timezone.now()) or Reason.CHANGED


def why_ended(command: WriteCommand) -> str:
    """What of that which let it in holds no more, as the log calls it; empty: all holds.

    Not in a transaction: it would hold locks that others take in another order.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {WHY_NOT}", [command.pk])
        why = str(cursor.fetchone()[0])
    return "" if why == NOT_YET else why
