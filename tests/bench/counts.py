"""P3: what one read and one search do, counted: SQL statements, calls of the EHR, commits that write."""

import http.client
import json
from typing import Any

import psycopg

from tests.bench import people
from tests.bench.load import HOST, PATIENCE, Ask
from tests.bench.report import Kind, Report
from tests.bench.site import TALLY
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

TIMES = 10  # of the same request; one alone could hide what happens only sometimes
TRIES = 5  # the least of them: a process reads its EHR's address each minute, PostgreSQL keeps house
NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
BARS = {"sql": 2, "ehr": 1, "commits": 1}
NAMES = {
    "sql": "SQL statements besides the EHR's own",
    "ehr": "calls of the EHR",
    "commits": "transactions that wrote",
}


def run(stack: Stack, sizes: Sizes) -> Report:
    """Without the sequencer, whose transactions are not a request's."""
    report = Report("P3", f"exact counts of one request, over HTTP; the most of {TIMES}, {TRIES} tries")
    reading = people.readings(1, results=sizes.results)[0]
    stack.start("web")
    with stack.superuser() as connection:
        for what, ask in {"read": reading.read(), "search": reading.search(sizes.results)}.items():
            counts = _count(stack.port, connection, ask)
            report.rows.append({"what": what, **counts})
            for name, bar in BARS.items():
                report.check(f"{what}: {NAMES[name]}", counts[name], bar, Kind.COUNT)
    report.notes.append(
        "Statements are counted in the web process, by Django's execute_wrapper; commits by the transaction "
        "ids that PostgreSQL gave out meanwhile."
    )
    return report


def _count(port: int, connection: psycopg.Connection, ask: Ask) -> dict[str, Any]:
    _tally(port, ask)  # what a process reads once, it has read from here on
    tries = []
    for _ in range(TRIES):
        before = _next_xid(connection)
        tallies = [_tally(port, ask) for _ in range(TIMES)]
        commits = (_next_xid(connection) - before) / TIMES
        tries.append(
            {n: max(t[n] for t in tallies) for n in ("sql", "ehr", "ehr_sql")} | {"commits": commits}
        )
    return {name: min(each[name] for each in tries) for name in tries[0]}


def _next_xid(connection: psycopg.Connection) -> int:
    row = connection.execute(NEXT_XID).fetchone()
    assert row
    return int(row[0])


def _tally(port: int, ask: Ask) -> dict[str, int]:
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {ask.token}", TALLY: "1"}
    connection.request("GET", ask.path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()
    return json.loads(answer.headers[TALLY])
