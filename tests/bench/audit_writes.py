"""P7: what the log costs writers: its INSERT with the sequencer at work, beside a plain INSERT of the same
row and beside one hash chain with a row lock, each with this disk and with a commit of 5 ms more.

pgbench drives all of them with statements of the same shape, so that Python's part is in none; what
`audit.log.record` and the journal cost in Python is told apart.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from django.conf import settings
from django.db import connection

from audit import journal
from audit.log import _now as now
from audit.log import record, uuid7
from config.embedded import psql_program
from tests.audit.cast import entry
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import DATABASE, Stack

COLUMNS = """
id, recorded_at, type, outcome, actor, on_behalf_of, role, patient, client, interaction, resource_types,
categories, purpose, reasons, consent, consent_number, count, target, correlation_id, payload, leaf,
writer_mac
"""
VALUES = """
uuidv7(), clock_timestamp(), 'record' || chr(58) || 'search', 'permit', 'Client/glucotrack', '', 'client',
'Patient/' || (random() * 100000)::int::text, 'Client/glucotrack', 'search-type',
'{Observation}', '{test-results}', 'PATRQT', '{}', 'Consent/0197', 1, 12, '', uuidv7()::text,
repeat('x', 520), sha256(random()::text::bytea),
sha256('x')
"""
SCRIPTS = {
    "plain INSERT": f"INSERT INTO plain_event ({COLUMNS}) VALUES ({VALUES});",
    "the log": f"INSERT INTO audit_event ({COLUMNS}) SELECT {VALUES} WHERE (true);",
    "one chain": (
        "BEGIN;\nUPDATE chain_head SET hash = sha256(hash || sha256(random()::text::bytea));\n"
        f"INSERT INTO plain_event ({COLUMNS}) VALUES ({VALUES});\nCOMMIT;"
    ),
}
TABLES = """
CREATE TABLE plain_event (LIKE audit_event INCLUDING DEFAULTS INCLUDING INDEXES);
CREATE TABLE chain_head (hash bytea NOT NULL);
INSERT INTO chain_head VALUES (sha256(''));
"""
SLOW_COMMIT = {"this disk": 0, "commits of 5 ms more": 5000}  # microseconds


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P7", f"{sizes.writers} writers, {sizes.seconds:.1f} s each, the best of {sizes.rounds}")
    connection.close()
    stack.fresh_log()
    with stack.superuser() as database:
        database.execute(TABLES)
        stack.start("sequencer")
        for name, delay in SLOW_COMMIT.items():
            database.execute(f"ALTER DATABASE {DATABASE} SET commit_delay = {delay}")
            database.execute(f"ALTER DATABASE {DATABASE} SET commit_siblings = 0")
            rates = _rates(stack, sizes)
            report.rows += [{"commit": name, "what": what, **r} for what, r in rates.items()]
            _check(report, name, rates, 4 if delay == 0 else 15)
        database.execute(f"ALTER DATABASE {DATABASE} RESET ALL")
        stack.stop("sequencer")
    report.notes += _python_part(sizes)
    return report


def _rates(stack: Stack, sizes: Sizes) -> dict[str, dict[str, float]]:
    """Interleaved, the best round of each."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(sizes.rounds):
        for what, script in SCRIPTS.items():
            measured = _pgbench(stack, script, sizes)
            if what not in best or measured["events/s"] > best[what]["events/s"]:
                best[what] = measured
    return best


def _pgbench(stack: Stack, script: str, sizes: Sizes) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.sql"
        path.write_text(script)
        command = [
            *(psql_program().with_name("pgbench"), "-n", "-M", "prepared", "-c", sizes.writers, "-j", 2),
            *("-T", max(1, round(sizes.seconds)), "-f", path, "-l", "--log-prefix", Path(folder) / "log"),
            *("-h", stack.postgres.socket_folder, "-U", "postgres", DATABASE),
        ]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        lines = [line.split() for log in Path(folder).glob("log*") for line in log.read_text().splitlines()]
    times = [int(line[2]) / 1000 for line in lines]
    return {"events/s": len(times) / max(1, round(sizes.seconds)), "p99 ms": quantiles(times, n=100)[98]}


def _check(report: Report, name: str, rates: dict[str, dict[str, float]], bar: int) -> None:
    plain, ours, chain = (rates[what] for what in ("plain INSERT", "the log", "one chain"))
    part = ours["events/s"] / plain["events/s"]
    report.check(f"{name}: plain INSERTs for one of ours (60 % at least)", 1 / part, 1 / 0.6, Kind.RATIO)
    times = ours["events/s"] / chain["events/s"]
    report.check(f"{name}: 1 / times as fast as one chain ({bar} at least)", 1 / times, 1 / bar, Kind.RATIO)
    p99 = ours["p99 ms"] / plain["p99 ms"]
    report.check(f"{name}: p99, times a plain INSERT's", p99, 3, Kind.RATIO)


def _python_part(sizes: Sizes) -> list[str]:
    """What one event costs its process, and what a journal that waits for the disk would."""
    count = max(100, sizes.calls // 20)
    with tempfile.TemporaryDirectory() as folder:
        settings.AUDIT_JOURNAL_FOLDER = Path(folder)
        whole = _each(count, lambda: record(entry()))
        leaf = bytes(32)
        line = _each(count, lambda: journal.append(uuid7(now()), leaf))
        settings.AUDIT_JOURNAL_FSYNC = True
        synced = _each(count // 10, lambda: journal.append(uuid7(now()), leaf))
        settings.AUDIT_JOURNAL_FSYNC = False
        journal.close()
    connection.close()
    return [
        f"In Python, one connection: record and commit {whole:,.0f} µs, of which the journal's line "
        f"{line:,.0f} µs; "
        f"with AUDIT_JOURNAL_FSYNC the line is {synced:,.0f} µs."
    ]


def _each(count: int, what: Callable[[], object]) -> float:
    """Microseconds."""
    what()
    began = time.perf_counter()
    for _ in range(count):
        what()
    return (time.perf_counter() - began) / count * 1e6
