"""Faults that affect answers, in the log: they say why an answer was late, partial or not there."""

from audit.events import EventType, Outcome, Role
from audit.log import Entry, record


def report(target: str, reason: str, *, over: bool = False) -> None:
    """What does not work, or works again: "System/log", "System/queue", or an EHR, "Source/<slug>".

    To be called once for each time that it begins or ends. `reason` is a code that `audit.words` knows.
    """
    record(
        Entry(
            type=EventType.FAULT_REPORT,
            outcome=Outcome.DONE if over else Outcome.FAILED,
            actor="System/monitor",
            role=Role.SYSTEM,
            target=target,
            reasons=(reason,),
        )
    )
