"""P11: the activity list of one patient with very many events, over HTTP: the first page, and deep pages."""

import http.client
import time
from statistics import median

from django.conf import settings
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from django.utils.http import urlencode

from audit import feed
from audit.models import AuditEvent
from tests.bench import people
from tests.bench.load import HOST
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

FIRST_PAGE = 50.0  # milliseconds
FLAT = 1.5  # times the first page, at any depth
DEEP = 0.9  # of all events are newer than the deep page


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P11", f"the activity list of one patient with {sizes.many:,} events; ms over HTTP")
    database.close()
    stack.fresh_log()
    (reading,) = people.readings(1, name="Activity")
    newest = AuditEvent.objects.filter(patient=f"Patient/{reading.patient.pk}").latest("recorded_at")
    _fill(stack, newest, sizes.many)
    browser = Client()
    browser.force_login(reading.patient.user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.session.session_key}"
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name their styles
    stack.start("web")
    paths = {name: f"/activity/?{urlencode(query)}" for name, query in _pages(newest, sizes).items()}
    all_times, others = _ask(stack.port, paths, cookie, sizes.calls)
    took = {}
    for name, times in all_times.items():
        took[name] = min(times)  # machines are shared: what is over it is waiting
        report.rows.append(
            {"what": name, "least ms": min(times), "median ms": median(times), "slowest ms": max(times)}
        )
    burnt = _cpu(stack, paths, cookie, sizes.calls)
    report.notes.append(
        "CPU-ms of one page, web and PostgreSQL: "
        + "; ".join(f"{name} {web:.1f} + {postgres:.1f}" for name, (web, postgres) in burnt.items())
    )
    report.check("first page, everyone, ms", took["first page, everyone"], FIRST_PAGE, Kind.TIME)
    report.check("first page, of others, ms", took["first page, of others"], FIRST_PAGE, Kind.TIME)
    # Both of others: looks at the list itself are events, and fold to one line at the top of everyone's.
    deep = sum(burnt["deep page, of others"]) / sum(burnt["first page, of others"])
    report.check(f"CPU of a page at {DEEP:.0%} of the depth, × the first", deep, FLAT, Kind.RATIO)
    report.check("answers other than 200", others, 0, Kind.COUNT)
    return report


def _fill(stack: Stack, newest: AuditEvent, count: int) -> None:
    """That many events, a millisecond from one to the next, older than the newest real one."""
    with stack.superuser() as superuser, superuser.cursor() as cursor:
        people.copies(cursor, newest, count, **CHANGES)
        cursor.execute("ANALYZE audit_event")


# No two alike, so that none are folded into one line; every second one is the patient's own.
CHANGES = {
    "id": "gen_random_uuid()",
    "recorded_at": "of_one.recorded_at - n * interval '1 millisecond'",
    "type": "'record:search'",
    "outcome": "'permit'",
    "role": "(ARRAY['client', 'patient'])[1 + mod(n, 2)]",
    "target": "'Observation/' || n",
}


def _pages(newest: AuditEvent, sizes: Sizes) -> dict[str, dict[str, str]]:
    events = AuditEvent.objects.filter(patient=newest.patient)
    at = newest.recorded_at - (newest.recorded_at - events.earliest("recorded_at").recorded_at) * DEEP
    place = events.filter(recorded_at__lte=at).latest("recorded_at")
    deep = feed.write_cursor(place.recorded_at, place.id, newest.patient)
    return {
        "first page, everyone": {"who": "everyone"},
        "first page, of others": {},
        "deep page": {"who": "everyone", "after": deep},
        "deep page, of others": {"after": deep},
        "nothing matches": {"who": "everyone", "category": "insurance"},
    }


def _cpu(stack: Stack, paths: dict[str, str], cookie: str, calls: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of CPU for one answer, the least of some rounds in which the pages take turns.

    Other work on the machine moves it less than the time.
    """
    burnt: dict[str, tuple[float, float]] = {}
    count = min(calls, 15)
    for _ in range(4):
        for name, path in paths.items():
            before = stack.cpu()
            _ask(stack.port, {name: path}, cookie, count)
            after = stack.cpu()
            web, postgres = ((after[p] - before[p]) / count * 1000 for p in ("web", "postgres"))
            burnt[name] = min(burnt.get(name, (web, postgres)), (web, postgres))
    return burnt


def _ask(port: int, paths: dict[str, str], cookie: str, calls: int) -> tuple[dict[str, list[float]], int]:
    """Milliseconds of each answer on one connection, after some to warm up; how many were not 200.

    The pages take turns, so that what else the machine does falls on them alike.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    times: dict[str, list[float]] = {name: [] for name in paths}
    others = 0
    for number in range(min(calls, 60)):
        for name, path in paths.items():
            began = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            others += answer.status != 200
            if number >= 10:
                times[name].append((time.perf_counter() - began) * 1000)
    return times, others
