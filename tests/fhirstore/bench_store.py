"""What the embedded EHR costs, by hand: `python -m tests.fhirstore.bench_store --sizes 100000,1000000`.

It has a PostgreSQL of its own under `$CHARTKEY_VAR/bench-store`, which is kept, so that a second run does not
load again. `measure` is the function that a larger benchmark calls.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VAR = Path(os.environ.get("CHARTKEY_VAR", ROOT / "var")) / "bench-store"
DATA = ROOT.parent / "shared/data/patients"
ROUNDS, REPEATS = 3, 100
KINDS = {
    "read by id": "Observation/{observation}",
    "50 labs of a patient": "Observation?patient={patient}&category=laboratory&_sort=-date&_count=50",
    "$everything, first page": "Patient/{patient}/$everything?_count=50",
    "patient by identifier": "Patient?identifier={identifier}",
    "patient by name": "Patient?family={family}&birthdate=gt1950",
    "part of a name, narrowed": "Patient?family:contains={family}&identifier={identifier}",
    "compartment": "Patient/{patient}/Condition?_count=50",
    "code, any patient": "Observation?code=http://loinc.org|4548-4&_count=20",
    "code and value": "Observation?code-value-quantity=http://loinc.org|4548-4$gt6&_count=20",
    "date range, any patient": "Observation?date=ge2020-01-01&date=lt2020-01-02&_count=20",
    "other date": "Condition?recorded-date=2020-01&_count=20",
    "last updated": "Observation?_lastUpdated=gt2020&_count=20",
    "chain": "Observation?patient.identifier={identifier}&_count=20",
    "chain, common": "Observation?patient.gender=female&_count=20",
    "has": "Patient?_has:Condition:patient:code=44054006&_count=20",
    "include and revinclude": "MedicationRequest?patient={patient}&_include=MedicationRequest:medication"
    "&_revinclude=Provenance:target&_count=20",
    "missing": "Condition?patient={patient}&abatement-date:missing=true",
    "type history": "Observation/_history?_count=20",
}  # fmt: skip


def start() -> Any:
    """The database server, migrated, with Django on it."""
    from config.embedded import OWNER, start_postgres

    postgres = start_postgres(VAR / "postgres")
    os.environ |= {
        "CHARTKEY_ENV_FILE": os.devnull, "CHARTKEY_MODE": "test", "CHARTKEY_VAR": str(VAR),
        "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": postgres.url(OWNER),
        "BASE_URL": "http://testserver", "ALLOWED_HOSTS": "testserver",
        "REDIS_URL": "redis://127.0.0.1:1", "CELERY_BROKER_URL": "redis://127.0.0.1:1",
        "SECRET_KEY": "demo-bench-" + "x" * 50, "FIELD_KEY": "11" * 32, "AUDIT_MAC_KEY": "22" * 32,
        "AUDIT_SIGNING_KEY": "33" * 32, "OIDC_KEY_FILE": str(VAR / "oidc.pem"),
    }  # fmt: skip
    from config.keys import ensure_oidc_key

    ensure_oidc_key(VAR / "oidc.pem")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return postgres


def count() -> int:
    from fhirstore.models import Resource

    return Resource.objects.count()


def grow(size: int) -> None:
    """At least `size` resources: the development patients, cloned."""
    from django.core.management import call_command

    if not count():
        call_command("fhirstore_load", DATA)
    if (have := count()) < size:
        call_command("fhirstore_multiply", -(-(size - have) // max(base_count(), 1)))


def base_count() -> int:
    from fhirstore.models import Resource

    return Resource.objects.exclude(fhir_id__regex=r"\.c\d+$").count()


def samples() -> dict[str, str]:
    """A patient with many labs and what belongs to it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT patient FROM fhirstore_resource WHERE type = 'Observation' AND key < 200000"
            " GROUP BY patient ORDER BY count(*) DESC LIMIT 1"
        )
        (patient,) = cursor.fetchone()
        cursor.execute(
            "SELECT fhir_id FROM fhirstore_resource WHERE type = 'Observation' AND patient = %s LIMIT 1",
            [patient],
        )
        (observation,) = cursor.fetchone()
    found = json.loads(ask(f"Patient/{patient}"))
    identifier = found["identifier"][0]
    return {
        "patient": patient,
        "observation": observation,
        "identifier": f"{identifier['system']}|{identifier['value']}",
        "family": found["name"][0]["family"],
    }


def ask(url: str) -> bytes:
    from tests.fhirstore.calls import get

    result = get(url)
    assert result.status == 200, (url, result.body)
    return result.body


def requests() -> dict[str, str]:
    """Kind of request -> its URL on this database."""
    values = samples()
    return {kind: url.format(**values) for kind, url in KINDS.items()}


def measure() -> Iterator[dict[str, Any]]:
    """One row for each kind of request, with R1, one SELECT by key: the least of three rounds. `ms` is wall
    time, `client` and `server` are CPU-us of this process and of its PostgreSQL backend."""
    size = count()
    calls = {"R1": one_select} | {kind: partial(ask, url) for kind, url in requests().items()}
    for kind, call in calls.items():
        costs = [cost(call) for _ in range(ROUNDS)]
        wall, client, server = (min(column) for column in zip(*costs, strict=True))
        row = {"ms": round(wall, 2), "client": round(client), "server": round(server)}
        yield {"resources": size, "kind": kind} | row


def one_select() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM fhirstore_resource WHERE key = %s", [100])
        cursor.fetchone()


def cost(call: Callable[[], object]) -> tuple[float, float, float]:
    """(ms of wall time, CPU-us here, CPU-us of the backend) of one call: the mean of many."""
    call()
    backend, wall, cpu = backend_cpu(), time.perf_counter(), time.process_time()
    for _ in range(REPEATS):
        call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / REPEATS * 1e3, cpu / REPEATS * 1e6, (backend_cpu() - backend) / REPEATS * 1e6


def backend_cpu() -> float:
    """CPU seconds of the PostgreSQL process that serves this connection."""
    from django.db import connection

    fields = (
        Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100000,1000000", help="numbers of resources to measure at")
    parser.add_argument("--plans", action="store_true", help="print the plan of each search")
    asked = parser.parse_args()
    postgres = start()
    try:
        rows = []
        for size in map(int, asked.sizes.split(",")):
            grow(size)
            rows += list(measure())
        report(rows)
        if asked.plans:
            from tests.fhirstore.plans import explain

            for kind, url in requests().items():
                print(f"== {kind}: {url}", *explain(lambda url=url: ask(url)), sep="\n")
    finally:
        from django.db import connections

        connections.close_all()
        postgres.stop()


def report(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        numbers = f"{row['ms']:>8.2f} ms {row['client']:>7} + {row['server']:>7} CPU-us"
        print(f"{row['resources']:>10,}  {row['kind']:<28} {numbers}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
