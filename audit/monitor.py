"""Look after the log each minute: is it as long as it was, does its newest part verify, does anything lag?"""

from datetime import timedelta

from django.utils import timezone

from audit import anchors, invariants, proofs, truncation
from audit.health import State, is_truncated, report_state
from audit.models import Checkpoint, LogState
from audit.tree_check import Tampered
from audit.verification import verify

NEWEST = 5_000  # entries that are verified each time
LONG_WAIT = 30.0  # seconds for an event to wait for its place
LATELY = 2  # minutes in which events must have got their place in time
ANCHOR_LAG = timedelta(minutes=10)


def look() -> LogState | None:
    """What was found is kept in `audit_state`, and logged where it is bad."""
    truncation.look()
    if is_truncated():
        return None
    try:
        verify(start=max(0, proofs.size_of_log() - NEWEST))
    except Tampered as error:
        return report_state(State.BROKEN, str(error))
    if found := invariants.broken():
        return report_state(State.BROKEN, "; ".join(found))
    if lagging := _lagging():
        return report_state(State.LAGGING, "; ".join(lagging))
    return report_state(State.WHOLE)


def look_at_all() -> LogState | None:
    """The whole log, once a day."""
    try:
        verify()
    except Tampered as error:
        return report_state(State.BROKEN, str(error))
    return None


def _lagging() -> list[str]:
    found = []
    if invariants.longest_wait() > LONG_WAIT:
        found.append("events wait for their place: is the sequencer running, or a transaction open?")
    elif invariants.merge_delay(minutes=LATELY) > invariants.DELAY:
        found.append("I7: of a hundred new events one or more got their place a second late, or later")
    for target in anchors.targets():
        waiting = Checkpoint.objects.filter(size__gt=anchors.taken_by(target)).order_by("size").first()
        if waiting and waiting.made_at < timezone.now() - ANCHOR_LAG:
            found.append(f"{target} has taken nothing since the log had {anchors.taken_by(target)} entries")
    return found
