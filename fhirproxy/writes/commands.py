"""What can be done with a proposed change. Each is one transaction, with its audit row inside.

`submit` takes one in; `approve`, `send_back` and `reject` are a clinician's; `cancel`, `repropose` and
`undo` its author's; `rebase` takes one that met another change up to what the chart says now. Sending is
`dispatch.send`, after the transaction has committed.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import Patient, User
from audit.events import EventType, Outcome
from consent import authority
from consent.decision import Reason
from consent.models import Consent
from consent.requester import Requester
from fhirproxy import asking
from fhirproxy.models import Source, WriteCommand, WriteEvent
from fhirproxy.writes import bodies, deciding, differences, intake, kinds
from fhirproxy.writes.deciding import NotAllowed
from fhirproxy.writes.differences import Difference
from fhirproxy.writes.intake import (
    MOST_WAITING,
    KeyReused,
    NoTarget,
    Proposal,
    ReadOnly,
    StaleVersion,
    TooManyWaiting,
    version_of,
)
from fhirproxy.writes.proposals import InvalidResource, Wrong, unmarked
from fhirproxy.writes.states import WAITING, WrongState, move
from notices import commands as notices

__all__ = [
    "MOST_WAITING",
    "InvalidResource",
    "KeyReused",
    "NoTarget",
    "NotAllowed",
    "Proposal",
    "ReadOnly",
    "StaleVersion",
    "Status",
    "TooManyWaiting",
    "Wrong",
    "WrongState",
    "move",
]
Status = WriteCommand.Status
YES = "review.yes"  # of a first clinician, where two have to say it


def submit(
    resource: Mapping[str, Any],
    *,
    requester: Requester,
    patient: Patient,
    author: User,
    channel: str,
    idempotency_scope: str,
    idempotency_key: str,
    source: Source | None = None,
    **facts: Any,
) -> WriteCommand:
    """Take in a proposed resource; it then waits for a clinician, or is approved where nobody has to look.

    The same key and body give the same command, however often and however many at once. `facts` are the other
    fields of `Proposal`: target and base_version (of an update), client, origin, encounter, noted_at…
    Raises what `intake.take` raises; nothing is kept then.
    """
    proposal = Proposal(
        resource=resource,
        patient=patient,
        author=author,
        channel=channel,
        idempotency_scope=idempotency_scope,
        idempotency_key=idempotency_key,
        **facts,
    )
    return intake.take(proposal, requester, source or Source.primary())


def approve(command: WriteCommand, *, requester: Requester, by: User) -> WriteCommand:
    """A clinician says yes. Where two have to, the first yes leaves it waiting for another clinician.

    Raises NotAllowed, and WrongState where somebody was faster, or one clinician says yes twice.
    """
    _decide_review(command, requester)
    with transaction.atomic():
        command = _held(command)
        _may_still(command, Status.APPROVED)
        others = _yeses(command)
        if by.pk in others:
            raise WrongState("another clinician has to say yes")
        if len(others) + 1 < _looks(command):
            WriteEvent.objects.create(command=command, status=command.status, by=by, reason=YES)
        else:
            command.reviewer = by
            command.save(update_fields=["reviewer"])
            move(command, Status.APPROVED, by=by)
        deciding.log(EventType.WRITE_APPROVE, command, requester)
    return command


def waits_for(command: WriteCommand) -> int:
    """How many clinicians have yet to say yes."""
    return max(0, _looks(command) - len(_yeses(command))) if command.status == Status.AWAITING_REVIEW else 0


def send_back(command: WriteCommand, *, requester: Requester, by: User, reason: str) -> WriteCommand:
    """A clinician does not add it as it is, for a coded reason that the patient reads in words.

    Raises NotAllowed, and WrongState where somebody was faster.
    """
    return _refuse(command, Status.SENT_BACK, requester=requester, by=by, reason=reason)


def reject(command: WriteCommand, *, requester: Requester, by: User, reason: str) -> WriteCommand:
    """A clinician does not add it, for good. Raises as `send_back`."""
    return _refuse(command, Status.REJECTED, requester=requester, by=by, reason=reason)


def _refuse(
    command: WriteCommand, status: str, *, requester: Requester, by: User, reason: str
) -> WriteCommand:
    _decide_review(command, requester)
    with transaction.atomic():
        command = _held(command)
        command.reviewer, command.reason = by, reason
        command.save(update_fields=["reviewer", "reason"])
        move(command, status, by=by, reason=reason)
        deciding.log(EventType.WRITE_REJECT, command, requester, reasons=(reason,))
        tell(command, "write_sent_back")
    return command


@transaction.atomic
def cancel(command: WriteCommand, *, requester: Requester, by: User) -> WriteCommand:
    """Its author takes it back. Twice changes nothing. Raises WrongState once it is on its way."""
    command = _held(command)
    if command.status == Status.CANCELLED:
        return command
    move(command, Status.CANCELLED, by=by)
    deciding.log(EventType.WRITE_CANCEL, command, requester)
    return command


def repropose(
    command: WriteCommand, resource: Mapping[str, Any], *, requester: Requester, by: User, key: str
) -> WriteCommand:
    """What was sent back comes again, changed: a new command with a key of its own, and the old one ends.

    Raises what `submit` raises, and WrongState where the old one does not wait for its author.
    """
    if command.status not in (Status.SENT_BACK, Status.CONFLICT, Status.CANCELLED):
        raise WrongState(f"{command.status} is not its author's to send again")
    version = ""
    if command.target:
        version = _now(command)[1]
    again = submit(
        resource,
        requester=requester,
        patient=command.patient,
        author=by,
        channel=command.channel,
        idempotency_scope=command.idempotency_scope,
        idempotency_key=key,
        source=command.source,
        client=command.client,
        client_version=command.client_version,
        target=command.target,
        base_version=version,
        origin=command.origin,
        encounter=command.encounter,
    )
    cancel(command, requester=requester, by=by)
    return again


def undo(command: WriteCommand, *, requester: Requester, by: User, key: str) -> WriteCommand:
    """A new command that takes back what this one wrote: entered in error, or as it was before.

    It is conditional on the chart being as this command left it: StaleVersion where it is not. Raises
    WrongState where nothing was written, and what `submit` raises.
    """
    reference, _, version = command.result.partition("/_history/")
    if command.status != Status.APPLIED or not version:
        raise WrongState("nothing was written that could be taken back")
    now = bodies.read(_now(command, reference)[0])
    before = bodies.read(command.base) if command.base else now | {"status": "entered-in-error"}
    if not command.base and "status" not in now:
        raise ReadOnly(command.resource_type)
    return submit(
        before,
        requester=requester,
        patient=command.patient,
        author=by,
        channel=command.channel,
        idempotency_scope=command.idempotency_scope,
        idempotency_key=key,
        source=command.source,
        client=command.client,
        target=reference,
        base_version=version,
        undoes=command,
    )


def compare(
    command: WriteCommand, choices: Mapping[str, str] | None = None
) -> tuple[list[Difference], bodies.Resource | None]:
    """(what differs between base, chart and proposal; what comes of it, None: a person has to decide).

    The policy of each group decides; where it leaves that to a person, `choices` says "ours" or "theirs" by
    group. Raises EhrFailure, NoTarget.
    """
    body, _ = _now(command) if command.target else ("{}", "")
    return _compared(command, body, choices)


def _compared(
    command: WriteCommand, body: str, choices: Mapping[str, str] | None
) -> tuple[list[Difference], bodies.Resource | None]:
    if not command.target:  # there is nothing that it changes
        return [], bodies.read(command.resource)
    base, now, proposed = (unmarked(bodies.read(t)) for t in (command.base, body, command.resource))
    found = differences.between(base, now, proposed, kinds.named(command.kind))
    return found, differences.resolved(now, found, choices)


def rebase(
    command: WriteCommand, *, requester: Requester, by: User, choices: Mapping[str, str] | None = None
) -> WriteCommand:
    """A clinician takes a command in conflict up to what the chart says now; it is then looked at again.

    `choices` as for `compare`. Raises WrongState where something is left to decide, or it is in no conflict;
    NotAllowed, EhrFailure, NoTarget.
    """
    if command.status != Status.CONFLICT:
        raise WrongState(f"{command.status} is no conflict")
    _decide_review(command, requester)
    body, version = _now(command) if command.target else ("", "")
    _, merged = _compared(command, body, choices)
    if merged is None or bool(command.target) != bool(version):
        raise WrongState("a person has to decide what differs")
    with transaction.atomic():
        command = _held(command)
        move(command, Status.AWAITING_REVIEW, by=by, reason="write.rebased")
        command.resource, command.base, command.base_version = bodies.dump(merged).decode(), body, version
        command.transformations = [*command.transformations, "rebased"]
        command.save(update_fields=["resource", "base", "base_version", "transformations"])
    return command


def _now(command: WriteCommand, reference: str = "") -> tuple[str, str]:
    """(body, version) of what it changes, as the chart has it. Raises NoTarget, EhrFailure."""
    answer = asking.ask(command.source, reference or command.target)
    if answer.status in (404, 410):
        raise NoTarget(command.target)
    if answer.status != 200:
        raise asking.failed(command.source, answer)
    return answer.body.decode(), version_of(answer, asking.decode(answer.body))


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


def block(command: WriteCommand, reason: str) -> None:
    """In the caller's transaction: what let it in has ended, nothing is sent, and the author is told."""
    command.reason = reason
    command.save(update_fields=["reason"])
    move(command, Status.BLOCKED, by=None, reason=reason)
    deciding.log_by_system(EventType.WRITE_BLOCK, command, Outcome.DENY, reason)
    tell(command, "write_blocked")


def tell(command: WriteCommand, kind: str) -> None:
    """A notice to the author, in the caller's transaction; it says that, not what."""
    author = command.author
    notices.enqueue(
        kind,
        recipient=f"User/{author.pk}",
        email=author.email,
        language=author.language,
        context={},
    )


def _decide_review(command: WriteCommand, requester: Requester) -> None:
    call = deciding.call_for(requester, command.source, "review", command.resource_type)
    deciding.decide(call, command.resource.encode())


def _held(command: WriteCommand) -> WriteCommand:
    return WriteCommand.objects.select_for_update().get(id=command.id)


def _may_still(command: WriteCommand, status: str) -> None:
    if command.status != Status.AWAITING_REVIEW:
        raise WrongState(f"{command.status} cannot become {status}")


def _looks(command: WriteCommand) -> int:
    """How many clinicians say yes; to what the table knows no more, one at least."""
    kind = kinds.named(command.kind)
    return kind.looks if kind else 1


def _yeses(command: WriteCommand) -> set[Any]:
    """Who has said yes since it last came to review."""
    found: set[Any] = set()
    for event in command.events.all():
        if event.status == Status.AWAITING_REVIEW and event.reason == YES:
            found.add(event.by_id)
        else:
            found.clear()
    return found
