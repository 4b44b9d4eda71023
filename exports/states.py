"""The life of an export, as one table. The picture in docs/states.md is made from it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exports.models import ExportJob

S = ExportJob.Status
ENDS = frozenset({S.CANCELLED, S.BLOCKED, S.FAILED})

TRANSITIONS: Mapping[S, frozenset[S]] = MappingProxyType(
    {
        S.QUEUED: ENDS | {S.PREPARING},
        S.PREPARING: ENDS | {S.RUNNING},
        S.RUNNING: ENDS | {S.PACKAGING},
        S.PACKAGING: ENDS | {S.RUNNING, S.COMPLETED, S.COMPLETED_WITH_GAPS},
        S.COMPLETED: frozenset({S.EXPIRED, S.CANCELLED, S.BLOCKED}),
        S.COMPLETED_WITH_GAPS: frozenset({S.EXPIRED, S.CANCELLED, S.BLOCKED}),
        S.CANCELLED: frozenset(),
        S.BLOCKED: frozenset(),
        S.FAILED: frozenset(),
        S.EXPIRED: frozenset(),
    }
)
LIVING = (S.QUEUED, S.PREPARING, S.RUNNING, S.PACKAGING)  # there is work to do
READY = (S.COMPLETED, S.COMPLETED_WITH_GAPS)  # there are files to fetch


def may_become(now: str, then: str) -> bool:
    return S(then) in TRANSITIONS[S(now)]


def diagram(table: Mapping[Any, frozenset[Any]] = TRANSITIONS) -> str:
    """A table as a Mermaid state diagram, for docs/states.md; its first state is where it begins."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for now, following in table.items():
        lines += [f"    {now} --> {then}" for then in sorted(following)]
        if not following:
            lines.append(f"    {now} --> [*]")
    return "\n".join(lines)
