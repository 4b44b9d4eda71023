"""How writing to the charts goes, in numbers and durations, and nothing about a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, Q

from fhirproxy.models import WriteCommand, WriteEvent
from fhirproxy.writes.states import ENDED, S

# Seconds of each stay in one state that began in the time: how many, the median, and the 95th percentile.
# A stay ends with the first event that says another state.
STAYS = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds)
  FROM (
    SELECT extract(epoch FROM (
             SELECT min(after.at) FROM fhirproxy_writeevent after
              WHERE after.command_id = e.command_id AND after.id > e.id AND after.status <> e.status
           ) - e.at) AS seconds
      FROM fhirproxy_writeevent e
     WHERE e.status = %(status)s AND e.at >= %(since)s AND e.at < %(until)s
       AND NOT EXISTS (
             SELECT FROM fhirproxy_writeevent before
              WHERE before.command_id = e.command_id AND before.id = (
                      SELECT max(b.id) FROM fhirproxy_writeevent b
                       WHERE b.command_id = e.command_id AND b.id < e.id)
                AND before.status = e.status)
  ) stays
 WHERE seconds IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long something took, of those that came to an end; None where there were none."""

    count: int
    median: timedelta | None
    p95: timedelta | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the commands that came in within a time. Shares are from 0 to 1; None where there is nothing."""

    taken: int
    by_status: Mapping[str, int]
    by_channel: Mapping[str, int]
    with_key: float | None  # of those that apps sent
    conflicts: float | None  # of those that were sent to an EHR
    blocked: float | None  # that were ended by what the patient decided
    blocked_by: Mapping[str, int]  # reason → count
    to_review: Stay
    to_reconcile: Stay
    troubles: Mapping[str, Mapping[str, int]]  # adapter → reason → count, of what an EHR did not take


def of(since: datetime, until: datetime) -> Figures:
    """A fixed number of statements, whatever the number of commands."""
    rows = WriteCommand.objects.filter(created_at__gte=since, created_at__lt=until)
    blocked = _counts(rows.filter(status=S.BLOCKED), "reason")
    tried = Q(events__status=S.SUBMITTING)
    said = rows.aggregate(
        taken=Count("id", distinct=True),
        sent=Count("id", distinct=True, filter=tried),
        met=Count("id", distinct=True, filter=Q(events__status=S.CONFLICT)),
        apps=Count("id", distinct=True, filter=Q(client__isnull=False)),
        keys=Count("id", distinct=True, filter=Q(client__isnull=False, has_key=True)),
    )
    return Figures(
        taken=said["taken"],
        by_status=_counts(rows, "status"),
        by_channel=_counts(rows, "channel"),
        with_key=_share(said["keys"], said["apps"]),
        conflicts=_share(said["met"], said["sent"]),
        blocked=_share(sum(blocked.values()), said["taken"]),
        blocked_by=blocked,
        to_review=_stays(S.AWAITING_REVIEW, since, until),
        to_reconcile=_stays(S.UNKNOWN, since, until),
        troubles=_troubles(since, until),
    )


def waiting() -> list[Any]:
    """What has not come to an end: {source_id, status, count, oldest}, by EHR and state."""
    rows = WriteCommand.objects.exclude(status__in=ENDED).values("source_id", "status")
    return list(rows.annotate(count=Count("id"), oldest=Min("created_at")).order_by("source_id", "status"))


def _counts(rows: Any, by: str) -> dict[str, int]:
    return dict(rows.order_by().values_list(by).annotate(count=Count("id")).values_list(by, "count"))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _stays(status: str, since: datetime, until: datetime) -> Stay:
    with connection.cursor() as cursor:
        cursor.execute(STAYS, {"status": status, "since": since, "until": until})
        count, median, p95 = cursor.fetchone()
    return Stay(count, *(None if s is None else timedelta(seconds=float(s)) for s in (median, p95)))


def _troubles(since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    rows = WriteEvent.objects.filter(at__gte=since, at__lt=until, reason__startswith="ehr.").order_by()
    found: dict[str, dict[str, int]] = {}
    named = rows.values_list("command__source__adapter", "reason").annotate(count=Count("id"))
    for adapter, reason, count in named:
        found.setdefault(adapter, {})[reason] = count
    return found
