"""S1: what the embedded EHR costs by itself: reads, searches, `$everything`, a transaction, an import.

It is called as the gate calls it, by its entry point and in this process; CPU is this process's and
PostgreSQL's. R1 is one SELECT by key with the body out, in the same process and rounds.
"""

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from fhirstore.models import Resource
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import DATABASE, Stack
from tests.fhirstore.calls import bundle, call, encounter, entry, get, observation, patient

NAME = f"{DATABASE}_store"
PER_PATIENT, LABS, VISITS = (
    100,
    60,
    19,
)  # resources of one patient: itself, 60 results, 19 visits, 20 diagnoses
WRITES = 100  # resources in a transaction


@dataclass(frozen=True, slots=True)
class Variant:
    call: Callable[[int], object]  # with the number of the call
    share: int  # of `sizes.calls`, one in so many
    statements: int | None = None  # SQL, at most


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("S1", "the embedded EHR alone: CPU-µs of one call in this process; the least of rounds")
    stack.fresh_database(NAME)
    _turn_to(NAME)
    patients = max(1, sizes.resources // PER_PATIENT)
    _import(stack, report, patients)
    variants = _variants(patients)
    _count_statements(report, variants)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for _ in range(sizes.rounds):
        for name, variant in variants.items():
            rounds[name].append(_measure(stack, variant, max(2, sizes.calls // variant.share)))
    least = {name: min(each, key=lambda cost: cost["total"]) for name, each in rounds.items()}
    report.rows += [
        {"what": name, **cost, "× R1": cost["total"] / least["R1"]["total"]} for name, cost in least.items()
    ]
    _turn_to(DATABASE)
    stack.drop_database(NAME)
    return report


def _turn_to(database: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = database


def _records(patients: int) -> Iterator[dict[str, Any]]:
    for number in range(patients):
        p = f"p{number}"
        subject = {"subject": {"reference": f"Patient/{p}"}}
        yield patient(p, identifier=[{"system": "urn:mrn", "value": p}])
        for n in range(LABS):
            yield observation(
                f"{p}-lab-{n}", **subject, effectiveDateTime=f"20{n % 26:02}-05-{n % 28 + 1:02}"
            )
        for n in range(VISITS):
            yield encounter(f"{p}-visit-{n}", **subject, period={"start": f"20{n:02}-05-01"})
        for n in range(PER_PATIENT - 1 - LABS - VISITS):
            yield {
                "resourceType": "Condition",
                "id": f"{p}-diagnosis-{n}",
                **subject,
                "code": {"text": f"{n}"},
            }


def _import(stack: Stack, report: Report, patients: int) -> None:
    path = Path(stack.var) / "store.ndjson"
    with path.open("w") as file:
        file.writelines(json.dumps(each) + "\n" for each in _records(patients))
    wall, own, theirs = time.monotonic(), time.process_time(), stack.cpu()["postgres"]
    call_command("fhirstore_load", path, stdout=io.StringIO())
    wall, own, theirs = (
        time.monotonic() - wall, time.process_time() - own, stack.cpu()["postgres"] - theirs,
    )  # fmt: skip
    taken = Resource.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    report.check("resources of the file that were not taken", patients * PER_PATIENT - taken, 0, Kind.COUNT)
    report.notes.append(
        f"Import by fhirstore_load: {taken:,} resources of {path.stat().st_size / taken:.0f} bytes"
        f" in {wall:.1f} s, {taken / wall:,.0f} a second;"
        f" {own / taken * 1e6:.0f} + {theirs / taken * 1e6:.0f} CPU-µs each."
    )
    path.unlink()


def _variants(patients: int) -> dict[str, Variant]:
    keys = list(Resource.objects.filter(type="Observation").values_list("key", flat=True)[:200])
    labs = "category=laboratory&_sort=-date&_count=50"
    return {
        "R1": Variant(lambda n: _one_select(keys[n % len(keys)]), 10, 1),
        "GET by id": Variant(lambda n: _ok(f"Observation/p{n % patients}-lab-7"), 10, 1),
        "50 labs of a patient": Variant(
            lambda n: _ok(f"Observation?patient=p{n % patients}&{labs}"), 40, 1
        ),
        "$everything, first page of 50": Variant(
            lambda n: _ok(f"Patient/p{n % patients}/$everything?_count=50"), 100, 3
        ),
        "$everything, all 100": Variant(
            lambda n: _ok(f"Patient/p{n % patients}/$everything?_count=200"), 100, 3
        ),
        "transaction of 1": Variant(_transaction(1), 200),
        f"transaction of {WRITES}": Variant(_transaction(WRITES), 400),
    }  # fmt: skip


def _one_select(key: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM fhirstore_resource WHERE key = %s", [key])
        assert cursor.fetchone()


def _ok(url: str) -> None:
    assert get(url).status == 200, url


def _transaction(size: int) -> Callable[[int], object]:
    """Each time a patient by urn:uuid and what belongs to it, all of them new."""
    numbers = count()

    def send(_: int) -> None:
        new = f"urn:uuid:00000000-0000-4000-8000-{next(numbers):012}"
        entries = [entry("POST", "Patient", patient(), new)]
        for n in range(size - 1):
            result = observation(
                "x", subject={"reference": new}, effectiveDateTime=f"2026-05-{n % 28 + 1:02}"
            )
            entries.append(entry("POST", "Observation", result))
        assert call("POST", "", bundle("transaction", *entries)).status == 200

    return send


def _count_statements(report: Report, variants: dict[str, Variant]) -> None:
    seen = {}
    for name, variant in variants.items():
        variant.call(0)
        seen[name] = _statements(variant)
        if variant.statements is not None:
            report.check(f"{name}: SQL statements", seen[name], variant.statements, Kind.COUNT)
    one, many = seen["transaction of 1"], seen[f"transaction of {WRITES}"]
    # A result has one index table more than a patient: its quantity.
    report.check(f"transaction of {WRITES}: SQL statements, of 1: {one}", many, one + 1, Kind.COUNT)


def _statements(variant: Variant) -> int:
    ran = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        ran.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        variant.call(1)
    return len(ran)


def _measure(stack: Stack, variant: Variant, calls: int) -> dict[str, float]:
    own, theirs = time.process_time(), stack.cpu()["postgres"]
    for number in range(calls):
        variant.call(number)
    own, theirs = time.process_time() - own, stack.cpu()["postgres"] - theirs
    return {
        "total": (own + theirs) * 1e6 / calls,
        "here": own * 1e6 / calls,
        "PostgreSQL": theirs * 1e6 / calls,
        "calls": calls,
    }
