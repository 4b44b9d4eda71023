"""P6: consents that are revoked while everybody reads, and while an EHR does not answer.

What must not be: a read that began after the revoke had returned and was served; a permit row that stands
after the revoke's row in the audit log's own order; a revoke that waits for an EHR.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from audit import sequencer
from audit.events import EventType, Outcome
from consent import commands
from fhirproxy.models import Source
from tests import factories
from tests.bench import ehr, load, people
from tests.bench.load import Answers
from tests.bench.people import Reading
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

PROCESSES = 4  # of readers
WARM = 8  # pauses before the first revoke and after the last one
KEPT = 4  # consents that stay, whose readers must never be refused
SLOW, HUNG = 8, 4  # readers of the two EHRs; the web server has 16 threads
BAR_MS = 250.0
LATER_PERMITS = """
WITH placed AS (
  SELECT e.consent, e.type, e.outcome, l.seq FROM audit_event e JOIN log_leaf l ON l.event_id = e.id
)
SELECT count(*) FROM placed p JOIN placed r ON r.consent = p.consent AND r.type = %s
 WHERE p.outcome = %s AND p.seq > r.seq AND p.consent = ANY(%s)
"""
REVOKES = """
SELECT count(*) FROM audit_event e JOIN log_leaf l ON l.event_id = e.id
 WHERE e.type = %s AND e.consent = ANY(%s)
"""
PERMITS = (
    "SELECT consent, count(*) FROM audit_event WHERE outcome = %s AND consent = ANY(%s) GROUP BY consent"
)
UNPLACED = (
    "SELECT count(*) FROM audit_event e WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.event_id = e.id)"
)


@dataclass(frozen=True, slots=True)
class Revoked:
    """When the command was called and when it had returned, on the clock of the readers."""

    began: float
    returned: float

    @property
    def milliseconds(self) -> float:
        return (self.returned - self.began) * 1000


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P6", f"{sizes.readers} readers, {sizes.revokes} revokes")
    _race(stack, sizes, report)
    _hung(stack, sizes, report)
    return report


def _race(stack: Stack, sizes: Sizes, report: Report) -> None:
    readings = people.readings(sizes.revokes + KEPT, name="Race")
    ending, staying = readings[: sizes.revokes], readings[sizes.revokes :]
    asks = [r.read() for r in readings]
    stack.start("web", "sequencer")
    clients = load.start(stack.port, asks, threads=sizes.readers, processes=min(PROCESSES, sizes.readers))
    _wait_until_read(ending)
    time.sleep(WARM * sizes.pause)
    revoked = {}
    for reading in ending:
        revoked[str(reading.consent.id)] = _revoke(reading)
        time.sleep(sizes.pause)
    time.sleep(WARM * sizes.pause)
    answers = load.finish(clients, at_once=True)
    stack.stop("sequencer")
    sequencer.catch_up()
    report.rows.append({"what": "all readers at once", **_told(answers, list(revoked.values()))})
    _check_race(report, answers, revoked, staying)
    _check_log(report, answers, ending, "race")


def _wait_until_read(readings: Sequence[Reading]) -> None:
    """Till each consent was read under: a revoke before that would show nothing. Gives up after a while."""
    consents = [f"Consent/{r.consent.id}" for r in readings]
    deadline = time.monotonic() + load.PATIENCE
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(PERMITS, [Outcome.PERMIT, consents])
            if len(cursor.fetchall()) == len(consents):
                return
        time.sleep(0.1)


def _check_race(
    report: Report, answers: Answers, revoked: Mapping[str, Revoked], staying: Sequence[Reading]
) -> None:
    late = sum(t > r.returned for key, r in revoked.items() for t in answers.served.get(key, []))
    unread = sum(not any(t < r.began for t in answers.served.get(key, [])) for key, r in revoked.items())
    odd = sum(n for count in answers.statuses.values() for s, n in count.items() if s not in (200, 401, 403))
    kept = [answers.statuses.get(str(r.consent.id), {}) for r in staying]
    refused = sum(n for count in kept for status, n in count.items() if status != 200)
    report.check("race: reads begun after the revoke had returned, and served", late, 0, Kind.COUNT)
    report.check("race: consents that nobody had read under before", unread, 0, Kind.COUNT)
    report.check("race: answers other than 200, 401, 403", odd, 0, Kind.COUNT)
    report.check("race: refusals under consents that were kept", refused, 0, Kind.COUNT)
    times = [r.milliseconds for r in revoked.values()]
    report.check("race: ms of the slowest revoke (p99 of so few)", max(times), BAR_MS, Kind.TIME)


def _check_log(report: Report, answers: Answers, revoked: Sequence[Reading], name: str) -> None:
    consents = [f"Consent/{r.consent.id}" for r in revoked]
    events = [EventType.CONSENT_REVOKE, consents]
    with connection.cursor() as cursor:
        cursor.execute(LATER_PERMITS, [EventType.CONSENT_REVOKE, Outcome.PERMIT, consents])
        later = cursor.fetchone()[0]
        cursor.execute(REVOKES, events)
        missing = len(consents) - cursor.fetchone()[0]
        cursor.execute(PERMITS, [Outcome.PERMIT, consents])
        permits = dict(cursor.fetchall())
        cursor.execute(UNPLACED)
        unplaced = cursor.fetchone()[0]
    served = {f"Consent/{key}": len(times) for key, times in answers.served.items()}
    unlogged = sum(max(0, served.get(consent, 0) - permits.get(consent, 0)) for consent in consents)
    report.check(f"{name}: permit rows after the revoke's row in the tree", later, 0, Kind.COUNT)
    report.check(f"{name}: revokes without a place in the tree", missing, 0, Kind.COUNT)
    report.check(f"{name}: answers of 200 without a permit row", unlogged, 0, Kind.COUNT)
    report.check(f"{name}: events without a place in the tree", unplaced, 0, Kind.COUNT)


def _hung(stack: Stack, sizes: Sizes, report: Report) -> None:
    """Two patients whose EHR takes seconds, or hangs: both consents end while their reads wait for it."""
    slow, hung = people.readings(2, name="Waiting")
    resources = {
        reading.observation: (seconds, factories.lab_result(reading.patient))
        for reading, seconds in ((slow, sizes.slow), (hung, sizes.hung))
    }
    waiting = SLOW + HUNG
    with ehr.started(resources) as server:
        stack.stop("web")
        _connect(Source.Kind.HTTP, server.base_url)
        stack.start("web", "sequencer")
        asks = [slow.read()] * SLOW + [hung.read()] * HUNG
        clients = load.start(stack.port, asks, threads=waiting)
        deadline = time.monotonic() + load.PATIENCE
        while server.held() < waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        reached = server.held()
        times = [_revoke(reading) for reading in (slow, hung)]
        held = server.held()
        answers = load.finish(clients, at_once=True)
        stack.stop()
    _connect(Source.Kind.EMBEDDED, "")
    sequencer.catch_up()
    report.rows.append({"what": f"EHR hangs {sizes.slow:.0f} s, {sizes.hung:.0f} s", **_told(answers, times)})
    report.check(
        "hung: reads that did not reach the EHR before the revokes", waiting - reached, 0, Kind.COUNT
    )
    report.check(
        "hung: reads that the EHR had let go before the revokes returned", reached - held, 0, Kind.COUNT
    )
    report.check("hung: reads served though the consent had ended", len(_served(answers)), 0, Kind.COUNT)
    report.check("hung: ms of the slower revoke", max(r.milliseconds for r in times), BAR_MS, Kind.TIME)
    _check_log(report, answers, (slow, hung), "hung")


def _connect(kind: Source.Kind, base_url: str) -> None:
    """What the web server, which reads it when it starts, takes for its EHR; with room for all who wait."""
    Source.objects.filter(is_primary=True).update(kind=kind, base_url=base_url, concurrency=64)


def _revoke(reading: Reading) -> Revoked:
    """By the command that the portal calls, in this process, which is none of those that serve or read."""
    began = time.monotonic()
    commands.revoke(reading.consent, by=reading.patient.user)
    return Revoked(began, time.monotonic())


def _served(answers: Answers) -> list[float]:
    return [began for times in answers.served.values() for began in times]


def _told(answers: Answers, revoked: Sequence[Revoked]) -> dict[str, float | int | str]:
    times = [r.milliseconds for r in revoked]
    statuses: dict[int, int] = {}
    for count in answers.statuses.values():
        for status, number in count.items():
            statuses[status] = statuses.get(status, 0) + number
    return {
        "answers": " ".join(f"{status}:{number}" for status, number in sorted(statuses.items())),
        "revokes": len(times),
        "revoke p50 ms": load.percentile(times, 0.5),
        "p99 ms": load.percentile(times, 0.99),
        "read p50 ms": load.percentile(answers.milliseconds, 0.5),
    }
