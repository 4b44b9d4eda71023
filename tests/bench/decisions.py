"""P5: what a decision costs, and what loading its authority costs as consents become many.

`decide` is timed on the very arguments that the gate gives it: they are taken from real reads by tokens that
lie spread over the population, from the interaction's decision and the resource's. Its authority is what
`consent.bearers.from_bearer` read from PostgreSQL for that token.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from django.db import connection
from django.test import Client as Browser

from consent import bearers, organisation
from consent.decision import decide
from consent.requester import Requester
from tests import factories
from tests.bench import load, people
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import DATABASE, Stack

BAR_MANY_PATIENTS, BAR_ONE_PATIENT, BAR_GROWTH = 50.0, 200.0, 1.2  # µs, µs, ratio
PER_PATIENT = 10  # consents
MANY = 100  # provisions, where one person's choices have become many
LOADS = 10  # times fewer calls of what asks the database
Arguments = tuple[Any, ...]


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P5", "µs of one decision, and of loading what it is taken on")
    few, many = f"{DATABASE}_few", f"{DATABASE}_many"
    for name in (few, many):
        stack.fresh_database(name)
    _decisions(stack, sizes, report)
    tokens = {}
    for name, consents in ((few, sizes.few), (many, sizes.many)):
        began = time.monotonic()
        patients = max(1, consents // PER_PATIENT)
        tokens[name] = _crowd(stack, name, sizes, of="all", patients=patients, clients=PER_PATIENT)
        report.notes.append(f"{consents:,} consents in {name}, loaded in {time.monotonic() - began:.0f} s.")
    _loads(stack, sizes, report, tokens)
    for name in (few, many):
        stack.drop_database(name)
    return report


def _decisions(stack: Stack, sizes: Sizes, report: Report) -> None:
    patients = max(1, sizes.consents // PER_PATIENT)
    kinds = {
        "spread": (f"{sizes.consents:,} consents over {patients:,} patients", patients, PER_PATIENT),
        "one": (f"{sizes.consents:,} consents on one patient", 1, sizes.consents),
    }
    for of, (title, count, clients) in kinds.items():
        tokens = _crowd(stack, DATABASE, sizes, of=of, patients=count, clients=clients)
        calls, requesters = _taken_from_reads(of, tokens, count)
        decided = _timed(decide, calls, sizes)
        report.rows.append({"what": f"decide, {title}", **decided})
        bar = BAR_ONE_PATIENT if of == "one" else BAR_MANY_PATIENTS
        report.check(f"µs p99, decide, {title}", decided["p99 µs"], bar, Kind.TIME)
    heavy = [(access, replace(held, provisions=held.provisions * MANY)) for access, held in calls]
    report.rows.append({"what": f"decide, {MANY} times the provisions", **_timed(decide, heavy, sizes)})
    rulings = [(requester.facts, "read") for requester in requesters]
    report.rows.append({"what": "Cedar's ruling alone", **_timed(organisation.rule, rulings, sizes)})
    provisions = [len(arguments[1].provisions) for arguments in calls]
    report.notes.append(
        f"decide takes a ruling that is made already, and the provisions of one token's authority: "
        f"{min(provisions)} to {max(provisions)} here. The timer itself is in p50 and p99 (some 0.1 µs)."
    )


def _crowd(stack: Stack, database: str, sizes: Sizes, **numbers: Any) -> list[str]:
    """Fill a database, and turn this process to it; tokens spread over all that it was filled with."""
    _turn_to(database)
    like = people.readings(1, name="Like")[0]
    with stack.superuser(database) as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # keys fit by how they are made
        tokens = people.crowd(cursor, like, **numbers)
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM (ANALYZE, FREEZE)")
        cursor.execute("CHECKPOINT")
    return people.spread(tokens, min(sizes.authorities, sizes.few))


def _turn_to(database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database


def _taken_from_reads(
    of: str, tokens: Sequence[str], patients: int
) -> tuple[list[Arguments], list[Requester]]:
    """The arguments of every decision that reads with these tokens needed; and who asked."""
    calls: list[Arguments] = []
    requesters = []
    for token in tokens:
        number = int(token.rpartition("-")[2])
        patient = people.copied_patient(of, (number - 1) % patients + 1)
        result = factories.lab_result(patient, f"{factories.fhir_id(patient)}-ldl")
        factories.load_records(factories.patient_record(patient), result)
        with _noting(decide, calls):
            address = f"/fhir/r4/Observation/{result['id']}"
            answer = Browser().get(address, headers={"authorization": f"Bearer {token}", "host": "localhost"})
        assert answer.status_code == 200, answer.content
        requester = bearers.from_bearer(token)
        assert requester
        requesters.append(requester)
    return calls, requesters


@contextmanager
def _noting(function: Callable[..., Any], calls: list[Arguments]) -> Iterator[None]:
    """Keep the arguments that a function is called with in this thread, whoever calls it by whatever name."""
    code = function.__code__

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is code:
            calls.append(tuple(frame.f_locals[name] for name in code.co_varnames[: code.co_argcount]))

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def _timed(function: Callable[..., Any], calls: Sequence[Arguments], sizes: Sizes) -> dict[str, float]:
    """Wall clock of each call, and CPU of all of them without a clock between; the least of the rounds."""
    rounds = []
    for _ in range(sizes.rounds):
        with _no_collection():
            times = _each(function, calls, sizes.calls)
            before = time.process_time_ns()
            for number in range(sizes.calls):
                function(*calls[number % len(calls)])
            mean = (time.process_time_ns() - before) / sizes.calls / 1000
        rounds.append((load.percentile(times, 0.5), load.percentile(times, 0.99), mean))
    p50, p99, mean = (min(column) for column in zip(*rounds, strict=True))
    return {"p50 µs": p50, "p99 µs": p99, "CPU µs": mean, "calls": sizes.calls}


def _each(function: Callable[..., Any], calls: Sequence[Arguments], count: int) -> list[float]:
    """µs of each call."""
    times = []
    for number in range(count):
        arguments = calls[number % len(calls)]
        began = time.perf_counter_ns()
        function(*arguments)
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _loads(stack: Stack, sizes: Sizes, report: Report, tokens: dict[str, list[str]]) -> None:
    """`from_bearer` on both databases in turn: this process's CPU and PostgreSQL's."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in tokens}
    for number in range(1 + sizes.rounds):
        for name, values in tokens.items():
            _turn_to(name)
            measured = _load(stack, [(value,) for value in values], sizes.calls // LOADS)
            if number:  # the first one warms both up
                rounds[name].append(measured)
    least = {n: {k: min(r[k] for r in each) for k in each[0]} for n, each in rounds.items()}
    few, many = least.values()
    for (_, measured), consents in zip(least.items(), (sizes.few, sizes.many), strict=True):
        report.rows.append({"what": f"from_bearer, {consents:,} consents in all", **measured})
    growth = many["CPU µs"] / few["CPU µs"]
    report.check(
        f"CPU of from_bearer, {sizes.many:,} / {sizes.few:,} consents", growth, BAR_GROWTH, Kind.RATIO
    )
    report.notes.append(
        "from_bearer is one SELECT by the token's digest and what Python makes of it; its CPU is this "
        "process's and PostgreSQL's. There is a token for each consent."
    )
    _turn_to(DATABASE)


def _load(stack: Stack, calls: Sequence[Arguments], count: int) -> dict[str, float]:
    assert bearers.from_bearer(*calls[0])  # connects, too
    with _no_collection():
        own, theirs = time.process_time(), stack.cpu()["postgres"]
        times = _each(bearers.from_bearer, calls, count)
        own, theirs = time.process_time() - own, stack.cpu()["postgres"] - theirs
    return {
        "p50 µs": load.percentile(times, 0.5),
        "p99 µs": load.percentile(times, 0.99),
        "CPU µs": (own + theirs) * 1e6 / count,
        "of it PostgreSQL": theirs * 1e6 / count,
        "calls": count,
    }
