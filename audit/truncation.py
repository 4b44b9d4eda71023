"""Is the log as long as it was? What stands outside the database tells, after a restore of an older
backup."""

from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from audit import anchor_file, journal_check, proofs
from audit.health import State, is_truncated, report_state

log = structlog.get_logger("chartkey.audit")


def look() -> None:
    """At the start of every program that serves, and of the sequencer before it places anything."""
    if is_truncated():
        return
    kept = proofs.size_of_log()
    anchored = anchor_file.last(Path(settings.AUDIT_ANCHOR_FILE))
    if anchored and anchored.size > kept:
        report_state(
            State.TRUNCATED,
            f"entries {kept} to {anchored.size - 1} are not there: the anchor file says that the log had "
            f"{anchored.size}, it has {kept}",
            kept=kept,
            expected=anchored.size,
        )
    elif anchored and not proofs.agrees(anchored):
        report_state(State.BROKEN, f"the log is not the one that was anchored at {anchored.size} entries")
    elif missing := journal_check.missing_now():
        report_state(
            State.TRUNCATED,
            f"{missing} newest events are not there: the journals know them",
            kept=kept,
            expected=kept + missing,
        )


def look_at_start() -> None:
    """For programs that serve. Without a database they let nothing out, and the sequencer looks later."""
    try:
        look()
    except DatabaseError as error:
        log.warning("could not look whether the audit log is whole", reason=type(error).__name__)
    finally:
        connection.close()
