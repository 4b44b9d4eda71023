"""The history of an alert, and its rows in the log."""

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from compliance.monitoring.models import Alert, AlertStep


class NotNow(ValueError):
    """What was asked for does not fit where the alert stands, or says nothing."""


class OwnDoing(NotNow):
    """The alert is about what they did themselves."""


def step(alert: Alert, by: User | None, what: str, note: str = "", *, patient: str = "") -> None:
    AlertStep.objects.create(alert=alert, by=by, what=what, note=note.strip())
    log_step(alert, by, what, patient=patient)


def log_step(
    alert: Alert, by: User | None, what: str, outcome: Outcome = Outcome.DONE, *, patient: str = ""
) -> None:
    """Without the patient: an alert stands in nobody's activity list before a person decided to tell them."""
    record(
        Entry(
            type=EventType.ALERT_CHANGE,
            outcome=outcome,
            actor=f"User/{by.pk}" if by else "System/monitor",
            role=Role.COMPLIANCE if by else Role.SYSTEM,
            reasons=("role.not-allowed",) if outcome is Outcome.DENY else (),
            patient=patient,
            target=f"Alert/{alert.pk}",
            detail={"step": what, "detector": alert.detector},
        )
    )
