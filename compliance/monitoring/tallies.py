"""Marks into windows, and windows into baselines. All of it in the transaction that moves the cursor."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from compliance.monitoring.baselines import MEMORY, MEMORY_OF_ALL, Baseline
from compliance.monitoring.detectors import Window
from compliance.monitoring.measures import BY_HOUR, LEARNED, Mark, Seen, length_of, window_of
from compliance.monitoring.models import Once, StoredBaseline, Tally

EVERYBODY = "*"
MOST_EVENTS = 50  # of one window that are named
KEPT = timedelta(days=60)
LATE = timedelta(hours=1)  # so long after its end a window may still grow
MOST_LEARNED = 20_000  # windows at once

ADD = f"""
INSERT INTO compliance_tally AS t (measure, kind, subject, about, starts_at, count, events, learned)
SELECT x.measure, x.kind, x.subject, x.about, x.starts_at, x.count, x.events, false
  FROM jsonb_to_recordset(%s::jsonb) AS x(measure text, kind text, subject text, about text,
       starts_at timestamptz, count bigint, events uuid[])
 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (measure, kind, subject, about, starts_at) DO UPDATE
   SET count = t.count + excluded.count,
       events = (t.events || excluded.events)
                [greatest(1, cardinality(t.events || excluded.events) - {MOST_EVENTS - 1}):]
RETURNING measure, kind, subject, about, starts_at, count, events
"""  # noqa: S608  our own number
ONCE = """
INSERT INTO compliance_once (measure, kind, subject, starts_at, what)
SELECT x.measure, x.kind, x.subject, x.starts_at, x.what
  FROM jsonb_to_recordset(%s::jsonb) AS x(measure text, kind text, subject text, starts_at timestamptz,
       what text)
 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT DO NOTHING RETURNING measure, kind, subject, starts_at, what
"""
Key = tuple[str, str, str, str, datetime]
Marked = Iterable[tuple[Seen, Mark]]


def add(marked: Marked) -> list[Window]:
    """Add marks to their windows; return those windows as they now are. Two statements."""
    events: dict[Key, list[str]] = defaultdict(list)
    counts: dict[Key, int] = defaultdict(int)
    once: dict[tuple[str, str, str, datetime, str], str] = {}
    for seen, mark in marked:
        starts_at = window_of(mark.measure, seen.at)
        if mark.once:
            once.setdefault((mark.measure, mark.kind, mark.subject, starts_at, mark.once), str(seen.id))
            continue
        key: Key = (mark.measure, mark.kind, mark.subject, mark.about, starts_at)
        counts[key] += mark.amount
        events[key].append(str(seen.id))
    for measure, kind, subject, starts_at, event in _first_times(once):
        key = (measure, kind, subject, "", starts_at)
        counts[key] += 1
        events[key].append(event)
    rows = [_tally(key, count, events[key][-MOST_EVENTS:]) for key, count in counts.items()]
    return [_window(row) for row in _returned(ADD, rows)]


def _first_times(
    once: Mapping[tuple[str, str, str, datetime, str], str],
) -> list[tuple[str, str, str, datetime, str]]:
    """Those that were not there in this window before, with the event of each."""
    names = ("measure", "kind", "subject", "starts_at", "what")
    rows = [dict(zip(names, map(_text, key), strict=True)) for key in once]
    return [(m, k, s, at, once[m, k, s, at, what]) for m, k, s, at, what in _returned(ONCE, rows)]


def _returned(statement: str, rows: Sequence[Mapping[str, object]]) -> list[tuple[Any, ...]]:
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows)])
        return cursor.fetchall()


def _tally(key: Key, count: int, events: list[str]) -> dict[str, object]:
    names = ("measure", "kind", "subject", "about", "starts_at")
    said: dict[str, object] = dict(zip(names, map(_text, key), strict=True))
    return said | {"count": count, "events": events}


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _window(row: tuple[Any, ...]) -> Window:
    measure, kind, subject, about, starts_at, count, events = row
    return Window(
        measure=measure,
        kind=kind,
        subject=subject,
        about=about,
        starts_at=starts_at,
        count=count,
        events=tuple(events),
    )


BaselineKey = tuple[str, str, str]


def baselines_of(windows: Iterable[Window | Tally]) -> dict[BaselineKey, Baseline]:
    """Of these subjects, and of all of their kinds. One statement."""
    keys = {(w.measure, w.kind, w.subject) for w in windows if w.measure in LEARNED}
    wanted = Q(pk=None)
    for measure, kind in {(measure, kind) for measure, kind, _ in keys}:
        subjects = [EVERYBODY, *(s for m, k, s in keys if (m, k) == (measure, kind))]
        wanted |= Q(measure=measure, kind=kind, subject__in=subjects)
    rows = StoredBaseline.objects.filter(wanted) if keys else ()
    return {(row.measure, row.kind, row.subject): _baseline(row) for row in rows}


def _baseline(row: StoredBaseline) -> Baseline:
    return Baseline(windows=row.windows, total=row.total, squares=row.squares, hours=tuple(row.hours))


def learn(now: datetime) -> int:
    """Put the windows that are over into the baselines; return how many. Four statements."""
    over = Q(measure__in=BY_HOUR, starts_at__lt=now - length_of("work") - LATE) | Q(
        starts_at__lt=now - length_of("reads") - LATE
    )
    windows = list(
        Tally.objects.filter(over, learned=False, measure__in=LEARNED)
        .order_by("starts_at", "id")
        .defer("events")[:MOST_LEARNED]
    )
    if not windows:
        return 0
    known, newest = baselines_of(windows), {}
    for window in windows:
        for subject, memory in ((window.subject, MEMORY), (EVERYBODY, MEMORY_OF_ALL)):
            key = (window.measure, window.kind, subject)
            known[key] = known.get(key, Baseline()).learn(window.starts_at, window.count, memory)
            newest[key] = window.starts_at
    _store({key: known[key] for key in newest}, newest)
    Tally.objects.filter(pk__in=[window.pk for window in windows]).update(learned=True)
    return len(windows)


def _store(known: Mapping[BaselineKey, Baseline], newest: Mapping[BaselineKey, datetime]) -> None:
    rows = [
        StoredBaseline(
            measure=measure,
            kind=kind,
            subject=subject,
            windows=b.windows,
            total=b.total,
            squares=b.squares,
            hours=list(b.hours),
            learned_at=newest[measure, kind, subject],
        )
        for (measure, kind, subject), b in sorted(known.items())
    ]
    StoredBaseline.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["measure", "kind", "subject"],
        update_fields=["windows", "total", "squares", "hours", "learned_at"],
    )


def sweep(now: datetime) -> int:
    """Throw away windows that are long over; alerts keep their events."""
    old = Tally.objects.filter(starts_at__lt=now - KEPT)
    return old.delete()[0] + Once.objects.filter(starts_at__lt=now - KEPT).delete()[0]
