"""The life of a write command, as one table. The picture in docs/states.md is made from it."""

from collections.abc import Mapping

from fhirproxy.models import WriteCommand

S = WriteCommand.Status

TRANSITIONS: Mapping[S, frozenset[S]] = {
    S.RECEIVED: frozenset({S.VALIDATED, S.REJECTED}),
    S.VALIDATED: frozenset({S.AWAITING_REVIEW, S.APPROVED, S.BLOCKED}),
    S.AWAITING_REVIEW: frozenset({S.APPROVED, S.SENT_BACK, S.CANCELLED, S.BLOCKED}),
    S.SENT_BACK: frozenset({S.AWAITING_REVIEW, S.CANCELLED, S.BLOCKED}),
    S.APPROVED: frozenset({S.SUBMITTING, S.CANCELLED, S.BLOCKED}),
    S.SUBMITTING: frozenset({S.APPLIED, S.CONFLICT, S.REJECTED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.APPLIED, S.APPROVED}),
    S.CONFLICT: frozenset({S.AWAITING_REVIEW, S.CANCELLED, S.BLOCKED}),
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


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/states.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.RECEIVED}"]
    for now, following in TRANSITIONS.items():
        lines += [f"    {now} --> {then}" for then in sorted(following)]
        if not following:
            lines.append(f"    {now} --> [*]")
    return "\n".join(lines)
