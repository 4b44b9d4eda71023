"""P1: what a consent-checked, audited read costs over HTTP, in CPU, against R0 and R1 on the same server."""

import time
from collections.abc import Mapping, Sequence

from fhirstore.models import Resource
from tests.bench import load, people
from tests.bench.load import Ask
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

CLIENTS = 8  # threads that ask at once, in two processes
BAR = 5.0  # times R1
JUDGED = "read, consent-checked and audited"
Cost = Mapping[str, float]


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P1", "CPU-µs of one request, all processes; the least of interleaved rounds")
    variants = _variants(sizes)
    stack.start("web", "sequencer")
    for asks in variants.values():
        load.run(stack.port, asks, threads=CLIENTS, seconds=sizes.seconds / 4)  # warms up
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    others = 0
    for _ in range(sizes.rounds):
        for name, asks in variants.items():
            cost, refused = _measure(stack, asks, sizes)
            costs[name].append(cost)
            others += refused
    least = {name: min(each, key=lambda cost: cost["total"]) for name, each in costs.items()}
    stack.stop("sequencer")
    report.rows = [_row(name, cost, least) for name, cost in least.items()]
    _judge(report, least)
    report.check("answers other than 200", others, 0, Kind.COUNT)
    return report


def _variants(sizes: Sizes) -> dict[str, Sequence[Ask]]:
    readings = people.readings(sizes.patients, results=sizes.results)
    keys = Resource.objects.filter(type="Observation").values_list("key", flat=True)[: sizes.patients]
    of_store = f"category={people.LABORATORY}&_count={sizes.results + 1}"
    return {
        "R0, no middleware": [Ask("/bench/bare/r0")],
        "R0": [Ask("/bench/r0")],
        "R1, no middleware": [Ask(f"/bench/bare/r1?key={key}") for key in keys],
        "R1": [Ask(f"/bench/r1?key={key}") for key in keys],
        "store alone, read": [Ask(f"/bench/store/{r.observation}") for r in readings],
        JUDGED: [r.read() for r in readings],
        f"store alone, search of {sizes.results}": [
            Ask(f"/bench/store/Observation?patient={r.fhir_id}&{of_store}") for r in readings
        ],
        f"search of {sizes.results}, the same": [r.search(sizes.results) for r in readings],
    }


def _measure(stack: Stack, asks: Sequence[Ask], sizes: Sizes) -> tuple[Cost, int]:
    """CPU-µs for one request by process tree, and how many were not answered with 200."""
    before = stack.cpu()
    answers = load.run(stack.port, asks, threads=CLIENTS, processes=2, seconds=sizes.seconds)
    time.sleep(sizes.settle)  # the sequencer gives the last events their place
    after = stack.cpu()
    spent = {name: (after[name] - before[name]) * 1e6 / answers.count for name in after}
    more = {"p50 ms": load.percentile(answers.milliseconds, 0.5), "requests": answers.count}
    return {"total": sum(spent.values()), **spent, **more}, answers.others


def _row(name: str, cost: Cost, least: Mapping[str, Cost]) -> dict[str, str | float]:
    ratios = {f"× {other}": cost["total"] / least[other]["total"] for other in ("R0", "R1")}
    bare = {"× bare R1": cost["total"] / least["R1, no middleware"]["total"]}
    return {"what": name, **cost, **ratios, **bare}


def _judge(report: Report, least: Mapping[str, Cost]) -> None:
    read, r0, r1 = (least[name]["total"] for name in (JUDGED, "R0", "R1"))
    bare = least["R1, no middleware"]["total"]
    gate = read - (least["store alone, read"]["total"] - r0)
    report.check("read, store included, × R1 behind the same middleware", read / r1, BAR, Kind.RATIO)
    report.check("read, store included, × R1 before all middleware", read / bare, BAR, Kind.RATIO)
    report.check("read without the store (read - (store - R0)), × R1", gate / r1, BAR, Kind.RATIO)
    report.notes.append(
        f"{CLIENTS} connections. Total: web + PostgreSQL + Valkey + sequencer, till the events have their "
        "place; R0 and R1 are views of the same server."
    )
