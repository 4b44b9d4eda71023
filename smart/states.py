"""The life of a client, as one table. The picture in docs/states.md is made from it.

Where a client stands is read at each request, so that it acts on the next one.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from smart.models import Client

S = Client.Status


class Act(StrEnum):
    """What may be done about where a client stands. Values are kept in the log: never rename one."""

    ASK = "ask"  # for a review
    WITHDRAW = "withdraw"
    REOPEN = "reopen"  # leave production, so that what was looked at may change
    REMOVE = "remove"
    APPROVE = "approve"
    REFUSE = "refuse"
    SUSPEND = "suspend"
    RESUME = "resume"
    BLOCK = "block"
    UNBLOCK = "unblock"


MOVES: Mapping[S, Mapping[Act, S]] = MappingProxyType(
    {
        S.SANDBOX: {Act.ASK: S.IN_REVIEW, Act.BLOCK: S.BLOCKED, Act.REMOVE: S.REMOVED},
        S.IN_REVIEW: {
            Act.APPROVE: S.ACTIVE,
            Act.REFUSE: S.SANDBOX,
            Act.WITHDRAW: S.SANDBOX,
            Act.BLOCK: S.BLOCKED,
            Act.REMOVE: S.REMOVED,
        },
        S.ACTIVE: {
            Act.REOPEN: S.SANDBOX,
            Act.SUSPEND: S.SUSPENDED,
            Act.BLOCK: S.BLOCKED,
            Act.REMOVE: S.REMOVED,
        },
        S.SUSPENDED: {Act.RESUME: S.ACTIVE, Act.BLOCK: S.BLOCKED, Act.REMOVE: S.REMOVED},
        S.BLOCKED: {Act.UNBLOCK: S.SANDBOX},
        S.REMOVED: {},
    }
)
OF_OWNER = frozenset({Act.ASK, Act.WITHDRAW, Act.REOPEN, Act.REMOVE})
OF_REVIEWER = frozenset(Act) - OF_OWNER


class WrongState(Exception):
    """The client has moved on: somebody was faster, or the page is old."""


def next_of(now: str, act: Act) -> S:
    """Raises WrongState."""
    try:
        return MOVES[S(now)][act]
    except KeyError:
        raise WrongState from None


def open_to(now: str, acts: frozenset[Act]) -> list[Act]:
    """What may be done next, in the order of the table."""
    return [act for act in MOVES[S(now)] if act in acts]


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/states.md."""
    lines = ["stateDiagram-v2", f"    [*] --> {_box(S.SANDBOX)}"]
    for now, moves in MOVES.items():
        lines += [f"    {_box(now)} --> {_box(then)}: {act}" for act, then in moves.items()]
        if not moves:
            lines.append(f"    {_box(now)} --> [*]")
    return "\n".join(lines)


def _box(status: S) -> str:
    return status.replace("-", "_")
