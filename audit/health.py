"""How the log stands, for everybody who asks: the newest row of `audit_state`.

A log that was found shorter than it was, or changed, stays so until somebody acknowledges it
(`audit.keeping.acknowledgement`). While the newest row holds, the database lets in reads of one's own record,
sign-ins and denials, and nothing else.
"""

from enum import StrEnum

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from audit.keeping import faults
from audit.models import LogState

log = structlog.get_logger("chartkey.audit")


class State(StrEnum):
    """Values are kept: never rename one."""

    WHOLE = "whole"
    LAGGING = "lagging"  # events wait long for their place, or an anchor's target does not answer
    TRUNCATED = "truncated"  # something outside knows of entries that are not there
    BROKEN = "broken"  # it was found to be changed


FAULTS = {State.LAGGING: "log.late", State.TRUNCATED: "log.truncated", State.BROKEN: "log.broken"}
STAYS = {State.TRUNCATED, State.BROKEN}


def current() -> LogState | None:
    """The newest row; None where nothing was ever amiss. For /status/ and the console's banner."""
    return LogState.objects.order_by("-id").first()


def state() -> State:
    newest = current()
    return State(newest.state) if newest else State.WHOLE


def is_truncated() -> bool:
    return state() is State.TRUNCATED


def report_state(
    found: State, what: str = "", *, kept: int | None = None, expected: int | None = None
) -> LogState | None:
    """Keep what was found, and shout where it is bad. What stays until acknowledged is not overwritten by
    less."""
    newest = current()
    before = State(newest.state) if newest else State.WHOLE
    if (before in STAYS and found not in STAYS) or (
        found is before and (newest is None or newest.what == what)
    ):
        return newest
    if found is State.BROKEN and LogState.objects.filter(state=found, what=what).exists():
        return newest  # it was acknowledged, and is as it was then
    if found is not State.WHOLE:
        log.critical("the audit log needs attention", status=found.value, reason=what)
    with transaction.atomic():
        if found is not State.WHOLE:
            faults.report("System/log", FAULTS[found])
            if found in STAYS:
                _alarm(found, what)
        elif before is not State.WHOLE:
            faults.report("System/log", FAULTS[before], over=True)
        return LogState.objects.create(
            state=found,
            holds=found is State.TRUNCATED or (found is State.BROKEN and settings.AUDIT_ON_BROKEN == "stop"),
            what=what,
            kept=kept,
            expected=expected,
        )


def _alarm(found: State, what: str) -> None:
    """Before the log is on hold, which lets no case be opened any more. Nothing here may keep the state from
    being kept."""
    try:
        with transaction.atomic():
            if settings.AUDIT_ALARM:
                import_string(settings.AUDIT_ALARM)(found.value, what)
    except Exception as error:
        log.critical("nobody could be told that the audit log is not well", reason=type(error).__name__)
