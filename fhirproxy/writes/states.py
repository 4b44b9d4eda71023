"""The life of a write command, as one table. The picture in docs/states.md is made from it."""

from collections.abc import Mapping

from accounts.models import User
from fhirproxy.models import WriteCommand, WriteEvent

S = WriteCommand.Status

# What has not been sent, and still could be.
WAITING = (S.VALIDATED, S.AWAITING_REVIEW, S.SENT_BACK, S.APPROVED, S.CONFLICT, S.FAILED)
ENDED = (S.APPLIED, S.REJECTED, S.CANCELLED, S.BLOCKED)
TRANSITIONS: Mapping[S, frozenset[S]] = {
    S.RECEIVED: frozenset({S.VALIDATED, S.REJECTED}),
    S.VALIDATED: frozenset({S.AWAITING_REVIEW, S.APPROVED, S.BLOCKED}),  # approved: where nobody has to look
    # To itself: a clinician did something with it, and it still waits.
    S.AWAITING_REVIEW: frozenset(
        {S.AWAITING_REVIEW, S.APPROVED, S.SENT_BACK, S.REJECTED, S.CANCELLED, S.BLOCKED}
    ),
    S.SENT_BACK: frozenset({S.AWAITING_REVIEW, S.CANCELLED, S.BLOCKED}),
    S.APPROVED: frozenset({S.SUBMITTING, S.CANCELLED, S.BLOCKED}),
    S.SUBMITTING: frozenset({S.APPROVED, S.APPLIED, S.CONFLICT, S.REJECTED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.APPLIED, S.APPROVED, S.CONFLICT}),
    S.CONFLICT: frozenset({S.CONFLICT, S.AWAITING_REVIEW, S.SENT_BACK, S.CANCELLED, S.BLOCKED}),
    S.FAILED: frozenset({S.APPROVED, S.CANCELLED, S.BLOCKED}),
    S.APPLIED: frozenset(),
    S.REJECTED: frozenset(),
    S.CANCELLED: frozenset(),
    S.BLOCKED: frozenset(),
}


class WrongState(Exception):
    """The command has moved on: somebody was faster, or the page is old."""


def may_become(now: str, then: str) -> bool:
    return S(then) in TRANSITIONS[S(now)]


def move(command: WriteCommand, status: str, *, by: User | None, reason: str = "", **changed: object) -> None:
    """One step, in the caller's transaction; `changed` are fields of the command that change with it.

    Raises WrongState for a step the table does not have.
    """
    if not may_become(command.status, status):
        raise WrongState(f"{command.status} cannot become {status}")
    if status != command.status:
        changed |= {"status": status, "reason": reason}
    for name, value in changed.items():
        setattr(command, name, value)
    command.save(update_fields=list(changed))
    WriteEvent.objects.create(command=command, status=status, by=by, reason=reason)


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/states.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.RECEIVED}"]
    for now, following in TRANSITIONS.items():
        lines += [f"    {now} --> {then}" for then in sorted(following)]
        if not following:
            lines.append(f"    {now} --> [*]")
    return "\n".join(lines)
