"""P8: sealing and verifying: how many events a second, beside the rate at which they can be recorded."""

import os
import tempfile
import threading
import time
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from audit import evidence, invariants, proofs, sequencer
from audit.log import record
from audit.models import AuditEvent
from audit.verification import verify
from tests.audit.cast import ALICE, entry
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

BAR_VERIFY = 80_000
TOGETHER = 500  # events in a transaction, for filling


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P8", f"{sizes.events:,} events")
    with tempfile.TemporaryDirectory() as folder:
        # A log of its own, and this process's journals too.
        settings.AUDIT_ANCHOR_FILE = Path(folder) / "checkpoints.txt"
        settings.AUDIT_JOURNAL_FOLDER = Path(folder) / "journal"
        connection.close()
        stack.fresh_log()
        sequencer.catch_up()
        inserts = _fill(sizes)
        began = time.perf_counter()
        sealed = sequencer.catch_up()
        seals = sealed / (time.perf_counter() - began)
        before, began = stack.cpu()["postgres"] + _ours(), time.perf_counter()
        count = verify(processes=os.cpu_count() or 1).entries
        verified = count / (time.perf_counter() - began)
        burnt = (stack.cpu()["postgres"] + _ours() - before) / count
        size = proofs.size_of_log()
        proof = _each(lambda: proofs.inclusion(size // 3, size))
        alice = AuditEvent.objects.filter(patient=ALICE).order_by("-recorded_at", "-id")[:500]
        bundle = _each(lambda: list(evidence.bundle(alice)), times=1) / 500
        delay = _delay(sizes)
        report.rows += [
            {"what": "recorded by one connection, each committed", "events/s": inserts},
            {"what": "sealed", "events/s": seals},
            {"what": "verified, with the journals of all of it", "events/s": verified},
            {"what": "verified, of one second of CPU (ours and PostgreSQL's)", "events/s": 1 / burnt},
        ]
        report.check("recorded for one sealed (a fifth at most)", inserts / seals, 1 / 5, Kind.RATIO)
        report.check(f"s to verify {BAR_VERIFY:,} events", BAR_VERIFY / verified, 1.0, Kind.TIME)
        report.check("s from an event to its checkpoint, p99 (I7)", delay, invariants.DELAY, Kind.TIME)
        report.check("invariants that do not hold", len(invariants.broken()), 0, Kind.COUNT)
        report.check("events sealed of those recorded, less", sizes.events - sealed, 0, Kind.COUNT)
        report.notes.append(f"A proof takes {proof:,.2f} ms; a list with proofs {bundle:,.2f} ms an event.")
    return report


def _ours() -> float:
    """CPU seconds of this process, and of those it started that have ended."""
    return sum(os.times()[:4])


def _fill(sizes: Sizes) -> float:
    """Record all events, most of them many in a transaction; the rate of those committed alone."""
    alone = min(2_000, sizes.events // 2)
    began = time.perf_counter()
    for _ in range(alone):
        record(entry())
    rate = alone / (time.perf_counter() - began)
    for first in range(alone, sizes.events, TOGETHER):
        with transaction.atomic():
            for _ in range(min(TOGETHER, sizes.events - first)):
                record(entry())
    return rate


def _delay(sizes: Sizes) -> float:
    """Seconds, p99, with the sequencer at its own pace and a writer at about 200 a second."""
    stop = threading.Event()

    def sequence() -> None:
        while not stop.wait(0.25):
            sequencer.tick()
        connection.close()

    worker = threading.Thread(target=sequence)
    worker.start()
    until, count = time.perf_counter() + max(1.0, sizes.seconds), 0
    while time.perf_counter() < until:
        record(entry())
        count += 1
        time.sleep(0.005)
    stop.set()
    worker.join()
    sequencer.catch_up()
    return invariants.merge_delay(count)


def _each(what: object, times: int = 20) -> float:
    """Milliseconds."""
    assert callable(what)
    began = time.perf_counter()
    for _ in range(times):
        what()
    return (time.perf_counter() - began) / times * 1000
