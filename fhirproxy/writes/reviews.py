"""What a clinician does with a proposed change. Each is one transaction, with its audit row inside.

All raise NotAllowed (in the log) for who may not review it, and WrongState where it has moved on: somebody
was faster, or the page is old (`seen` is the id of the last event that the page showed).
"""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from accounts.models import User
from audit.events import EventType
from consent.requester import Requester
from fhirproxy.models import WriteCommand
from fhirproxy.release import Call
from fhirproxy.writes import bodies, deciding, differences, kinds, proposals, targets, together
from fhirproxy.writes.differences import Difference
from fhirproxy.writes.proposals import InvalidResource, Wrong, unmarked
from fhirproxy.writes.states import S, WrongState, move
from fhirproxy.writes.steps import block, step, why_ended

YES = "review.yes"  # of a first clinician, where two have to say it
PART = "review.part"  # some of it was left out
PASSED = "review.passed-on"
REBASED = "write.rebased"


def approve(
    command: WriteCommand,
    *,
    requester: Requester,
    by: User,
    leaving: Collection[str] = (),
    seen: int | None = None,
) -> WriteCommand:
    """A clinician says yes, to all of it or without the groups in `leaving` (names of `parts`).

    Where two have to, the first yes leaves it waiting for another clinician, and what one leaves out both
    say yes to. Where what let it in has ended it is blocked instead: look at its status. Raises
    InvalidResource for a part that cannot stand by itself.
    """
    call = _decide(command, requester)
    left = _without(call, command, leaving) if leaving else None
    if why := why_ended(command):
        return _blocked(command, why)
    with transaction.atomic():
        command = _held(command, seen)
        if command.status != S.AWAITING_REVIEW:
            raise WrongState(f"{command.status} waits for no yes")
        if left is not None:
            move(command, command.status, by=by, reason=PART, **_changed(command, left, PART))
        others = yeses(command)
        if by.pk in others:
            raise WrongState("another clinician has to say yes")
        if len(others) + 1 < _looks(command):
            move(command, command.status, by=by, reason=YES)
        else:
            move(command, S.APPROVED, by=by, reviewer=by)
        deciding.log(EventType.WRITE_APPROVE, command, requester, reasons=(PART,) if left is not None else ())
    return command


def send_back(
    command: WriteCommand, *, requester: Requester, by: User, reason: str, seen: int | None = None
) -> WriteCommand:
    """It is not added as it is, for a coded reason that the patient reads in words."""
    return _refuse(command, S.SENT_BACK, (requester, by), reason, seen)


def reject(
    command: WriteCommand, *, requester: Requester, by: User, reason: str, seen: int | None = None
) -> WriteCommand:
    """It is not added, for good."""
    return _refuse(command, S.REJECTED, (requester, by), reason, seen)


def _refuse(
    command: WriteCommand, status: str, by: tuple[Requester, User], reason: str, seen: int | None
) -> WriteCommand:
    _decide(command, by[0])
    with transaction.atomic():
        command = _held(command, seen)
        step(command, status, EventType.WRITE_REJECT, by=by, reason=reason, reviewer=by[1])
    return command


def pass_on(
    command: WriteCommand, *, requester: Requester, by: User, to: User | None, seen: int | None = None
) -> WriteCommand:
    """Another clinician looks at it, or (None) whoever treats the patient. That they may is decided when
    they do."""
    _decide(command, requester)
    with transaction.atomic():
        command = _held(command, seen)
        if command.status not in (S.AWAITING_REVIEW, S.CONFLICT):
            raise WrongState(f"{command.status} waits for no clinician")
        step(
            command,
            command.status,
            EventType.WRITE_REVIEW,
            by=(requester, by),
            reason=PASSED,
            passed_to=to,
        )
    return command


def waits_for(command: WriteCommand) -> int:
    """How many clinicians have yet to say yes."""
    return max(0, _looks(command) - len(yeses(command))) if command.status == S.AWAITING_REVIEW else 0


def yeses(command: WriteCommand) -> set[Any]:
    """Ids of who has said yes to it as it now is."""
    found: set[Any] = set()
    for event in command.events.all():
        if event.status != S.AWAITING_REVIEW or event.reason in ("", PART, REBASED):
            found.clear()
        elif event.reason == YES:
            found.add(event.by_id)
    return found


def parts(command: WriteCommand) -> list[Difference]:
    """What it says that its base does not, group by group: what a clinician may leave out."""
    base, proposed = (unmarked(bodies.read(text or "{}")) for text in (command.base, command.resource))
    return differences.between(base, base, proposed, kinds.named(command.kind))


def _without(call: Call, command: WriteCommand, leaving: Collection[str]) -> bodies.Resource:
    found = parts(command)
    resource = unmarked(bodies.read(command.resource))
    for part in found:
        if part.name in leaving:
            resource = {n: v for n, v in resource.items() if n not in part.proposed} | dict(part.base)
    kind = kinds.named(command.kind)
    if not set(leaving) <= {part.name for part in found} or kind is None or kinds.of(resource) != kind:
        raise InvalidResource(Wrong("invalid", "It would be of another kind without this."))
    if {part.name for part in found} <= set(leaving):
        raise InvalidResource(Wrong("invalid", "Nothing would be left of it."))
    proposals.check(call, kind, resource, bodies.read(command.base) if command.base else None)
    return resource


def compare(
    command: WriteCommand, choices: Mapping[str, str] | None = None
) -> tuple[list[Difference], bodies.Resource | None]:
    """(what differs between base, chart and proposal; what comes of it, None: a person has to decide).

    The policy of each group decides; where it leaves that to a person, `choices` says "ours" or "theirs" by
    group. Raises EhrFailure, NoTarget.
    """
    body = targets.now(command.source, command.target)[0] if command.target else "{}"
    return against(command, body, choices)


def against(
    command: WriteCommand, body: str, choices: Mapping[str, str] | None = None
) -> tuple[list[Difference], bodies.Resource | None]:
    """As `compare`, with the chart's answer at hand."""
    if not command.target:  # there is nothing that it changes
        return [], bodies.read(command.resource)
    base, now, proposed = (unmarked(bodies.read(t)) for t in (command.base, body, command.resource))
    found = differences.between(base, now, proposed, kinds.named(command.kind))
    return found, differences.resolved(now, found, choices)


def rebase(
    command: WriteCommand,
    *,
    requester: Requester,
    by: User,
    choices: Mapping[str, str] | None = None,
    seen: int | None = None,
) -> WriteCommand:
    """A clinician takes it up to what the chart says now; it is then looked at again.

    `choices` as for `compare`. Raises WrongState where something is left to decide, or it stands against
    nothing; EhrFailure, NoTarget.
    """
    if command.status not in (S.CONFLICT, S.AWAITING_REVIEW):
        raise WrongState(f"{command.status} is no conflict")
    _decide(command, requester)
    body, version = targets.now(command.source, command.target) if command.target else ("", "")
    _, merged = against(command, body, choices)
    if merged is None or bool(command.target) != bool(version):
        raise WrongState("a person has to decide what differs")
    with transaction.atomic():
        command = _held(command, seen)
        changed = _changed(command, merged, "rebased") | {"base": body, "base_version": version}
        step(
            command,
            S.AWAITING_REVIEW,
            EventType.WRITE_REVIEW,
            by=(requester, by),
            reason=REBASED,
            **changed,
        )
    return command


def _changed(command: WriteCommand, resource: bodies.Resource, code: str) -> dict[str, Any]:
    """The fields of a command that says something else from now on; what its author said is kept."""
    return {
        "resource": bodies.dump(resource).decode(),
        "proposed": command.proposed or command.resource,
        "transformations": [*command.transformations, code],
    }


def _decide(command: WriteCommand, requester: Requester) -> Call:
    call = deciding.call_for(requester, command.source, "review", command.resource_type)
    deciding.decide(call, command.resource.encode())
    for entry in together.entries(command):
        resource = entry["resource"]
        other = deciding.call_for(requester, command.source, "review", resource["resourceType"])
        deciding.decide(other, bodies.dump(resource))
    return call


@transaction.atomic
def _blocked(command: WriteCommand, why: str) -> WriteCommand:
    command = WriteCommand.objects.select_for_update().get(id=command.id)
    block(command, why)
    return command


def _held(command: WriteCommand, seen: int | None) -> WriteCommand:
    command = WriteCommand.objects.select_for_update().get(id=command.id)
    if seen is not None and command.events.order_by("-id").values_list("id", flat=True)[0] != seen:
        raise WrongState("it is not as the page showed it")
    return command


def _looks(command: WriteCommand) -> int:
    """How many clinicians say yes; to what the table knows no more, one at least."""
    kind = kinds.named(command.kind)
    return kind.looks if kind else 1
