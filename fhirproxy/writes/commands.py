"""What a sender does with a proposed change; `reviews` is what a clinician does, `dispatch.send` sends it.

Each is one transaction, with its audit row inside.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.models import Patient, User
from audit.events import EventType
from consent.requester import Requester
from fhirproxy.models import Source, WriteCommand
from fhirproxy.writes import bodies, intake, targets, together
from fhirproxy.writes.deciding import NotAllowed
from fhirproxy.writes.intake import (
    MOST_WAITING,
    KeyReused,
    Proposal,
    ReadOnly,
    StaleVersion,
    TooManyWaiting,
)
from fhirproxy.writes.proposals import InvalidResource, Wrong
from fhirproxy.writes.reviews import approve, compare, rebase, reject, send_back, waits_for
from fhirproxy.writes.states import WrongState, move
from fhirproxy.writes.steps import step
from fhirproxy.writes.targets import NoTarget

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
    "approve",
    "compare",
    "move",
    "rebase",
    "reject",
    "send_back",
    "waits_for",
]
Status = WriteCommand.Status


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


@transaction.atomic
def cancel(command: WriteCommand, *, requester: Requester, by: User) -> WriteCommand:
    """Its author takes it back. Twice changes nothing. Raises WrongState once it is on its way."""
    command = WriteCommand.objects.select_for_update().get(id=command.id)
    if command.status == Status.CANCELLED:
        return command
    step(command, Status.CANCELLED, EventType.WRITE_CANCEL, by=(requester, by))
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
        version = targets.now(command.source, command.target)[1]
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
        full_url=together.full_url(command),
        also=together.entries(command),
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
    if command.also:
        raise WrongState("what was written together is corrected one by one")
    now = bodies.read(targets.now(command.source, reference)[0])
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
