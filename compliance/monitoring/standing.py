"""What is odd without any new event: an emergency view that nobody reviews, a log that is late."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from audit import invariants
from compliance.emergencies import TO_REVIEW
from compliance.monitoring.detectors import Against, Finding, Window, table
from compliance.monitoring.measures import Measure, window_of
from consent.emergency_models import EmergencyAccess

LATE = 60.0  # seconds that an event may wait for its place
MOST = 200


def findings(now: datetime, *, log: bool) -> list[Finding]:
    """Two statements. A log of made-up days (`log` is false) is late by our clock, and need not be told."""
    return [*_unreviewed(now), *(_late_log(now) if log else ())]


def _unreviewed(now: datetime) -> Iterator[Finding]:
    """As things stood at `now`; each view is found anew until it is reviewed, and is one alert."""
    waiting = Q(reviewed_at=None) | Q(reviewed_at__gt=now)
    late = EmergencyAccess.objects.filter(waiting, opened_at__lt=now - TO_REVIEW).order_by("opened_at")
    for pk, patient, opened_at in late.values_list("pk", "patient_id", "opened_at")[:MOST]:
        window = Window(
            measure="",
            kind="view",
            subject=f"EmergencyAccess/{pk}",
            about=f"Patient/{patient}",
            starts_at=opened_at,
            count=1,
        )
        yield Finding(detector=table()["break-glass"], window=window, against=Against.RULE, limit=1)


def _late_log(now: datetime) -> Iterator[Finding]:
    if invariants.longest_wait() > LATE:
        yield of_log("late", now)


def of_log(what: str, now: datetime) -> Finding:
    """The log itself: "late", or "gap" where its entries and its events are not the same."""
    window = Window(
        measure=Measure.LOG,
        kind="log",
        subject="System/log",
        about=what,
        starts_at=window_of(Measure.LOG, now),
        count=1,
    )
    return Finding(detector=table()["log"], window=window, against=Against.RULE, limit=1)
