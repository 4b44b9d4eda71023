"""One run of the monitor: the next events, the windows that they change, what is odd about those.

All of a run is one transaction with the cursor: a run that is killed has not happened, and the next one
reads the same events. Two at once: the second finds the cursor taken and does nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from compliance.monitoring import alerts, standing, stream, surroundings, tallies
from compliance.monitoring.detectors import Finding, Window, judge, of_measure
from compliance.monitoring.measures import Seen, marks_of
from compliance.monitoring.models import Cursor
from compliance.monitoring.tallies import EVERYBODY

BATCH = 5_000  # events
MOST_BATCHES = 20  # of one task
PAST = timedelta(days=7)  # what is older is learned from, and raises nothing


def run(*, limit: int = BATCH, by_log: bool = False) -> int:
    """Take up to `limit` events; return how many entries were read.

    `by_log` takes the time from the log itself, for a simulation whose days pass in seconds.
    """
    with transaction.atomic():
        cursor = _cursor()
        if cursor is None:
            return 0
        batch = stream.after(cursor, limit)
        newest = max((seen.at for seen in batch.events), default=None) if batch else None
        cursor.log_at = max(filter(None, (cursor.log_at, newest)), default=None)
        cursor.ran_at = timezone.now()
        now = (cursor.log_at if by_log else None) or cursor.ran_at
        windows = _windows(batch, now) if batch else []
        found = [
            *_judged(w for w in windows if w.starts_at > now - PAST),
            *standing.findings(now, log=not by_log),
            *([standing.of_log("gap", now)] if batch and batch.gap else ()),
        ]
        alerts.take_in(found, now)
        tallies.learn(now)
        read = batch.seq - cursor.seq if batch else 0
        if batch:
            cursor.seq, cursor.xid, cursor.event_id = batch.seq, batch.xid, batch.event_id
        cursor.save()
    return read


def catch_up(most: int = MOST_BATCHES) -> int:
    """Run until nothing is left, or so many times; return how many entries were read."""
    total = 0
    for _ in range(most):
        read = run()
        total += read
        if read < BATCH:
            break
    return total


def _cursor() -> Cursor | None:
    """Taken for this transaction; None where another run has it."""
    Cursor.objects.bulk_create([Cursor(pk=1)], ignore_conflicts=True)
    return Cursor.objects.select_for_update(skip_locked=True).filter(pk=1).first()


def _windows(batch: stream.Batch, now: datetime) -> list[Window]:
    around = surroundings.load(_named(batch.events), {seen.patient for seen in batch.events})
    marked = [(seen, mark) for seen in batch.events for mark in marks_of(seen, around)]
    around.keep()
    return tallies.add(marked)


def _named(events: Iterable[Seen]) -> set[str]:
    """Who is known by something before: actors, apps, and the helper whom an event is about."""
    return {name for e in events for name in (e.actor, e.client, str(e.detail.get("about", ""))) if name}


def _judged(windows: Iterable[Window]) -> list[Finding]:
    windows = list(windows)
    known, tunings = tallies.baselines_of(windows), alerts.tunings()
    found = (
        judge(
            detector,
            window,
            known.get((window.measure, window.kind, window.subject)),
            known.get((window.measure, window.kind, EVERYBODY)),
            tunings.get(detector.name, 1),
        )
        for window in windows
        for detector in of_measure(window.measure)
    )
    return [finding for finding in found if finding]


def sweep() -> int:
    """Throw away windows that are long over, by the clock of the log's newest event."""
    cursor = Cursor.objects.filter(pk=1).first()
    return tallies.sweep(cursor.log_at) if cursor and cursor.log_at else 0
