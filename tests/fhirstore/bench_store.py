"""What searches cost as the store grows, by hand: `python -m tests.fhirstore.bench_store --large 1000000`.

Two databases in a PostgreSQL of its own under `$CHARTKEY_VAR/bench-store`, which are kept, so that a second
run does not load again: `small` holds the development patients, `large` these and their clones. Each search
is measured in both in turn, in one run. `measure` is the function that a larger benchmark calls.
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
SMALL, LARGE = "small", "large"
RARE, FEW = "bench-rare", 20
# What the gate asks: it writes the patient into every search (docs/architecture.md).
OF_A_PATIENT = {
    "read by id": "Observation/{observation}",
    "50 labs": "Observation?patient={patient}&category=laboratory&_sort=-date&_count=50",
    "all results, first page": "Observation?patient={patient}&_count=50",
    "results by code": "Observation?patient={patient}&code=http://loinc.org|4548-4&_count=50",
    "results by code and value": "Observation?patient={patient}&code-value-quantity=http://loinc.org|4548-4$gt6",
    "results of a year": "Observation?patient={patient}&date=ge2020&date=lt2021&_count=50",
    "a word in a result": "Observation?patient={patient}&value-string:contains=never",
    "conditions, by status": "Condition?patient={patient}&clinical-status=active&_sort=-recorded-date",
    "conditions, by another date": "Condition?patient={patient}&onset-date=ge2000&_count=50",
    "missing": "Condition?patient={patient}&abatement-date:missing=true",
    "medicines": "MedicationRequest?patient={patient}&status=active&intent=order&_count=50",
    "visits": "Encounter?patient={patient}&_sort=-date&_count=50",
    "last updated": "Observation?patient={patient}&_lastUpdated=gt2020&_count=50",
    "total": "Observation?patient={patient}&category=laboratory&_summary=count",
    "include and revinclude": "MedicationRequest?patient={patient}&_include=MedicationRequest:medication"
    "&_revinclude=Provenance:target&_count=20",
    "chain": "Observation?patient={patient}&patient.identifier={identifier}&_count=20",
    "Provenance by target": "Provenance?patient={patient}&target=Observation/{observation}",
    "compartment": "Patient/{patient}/Condition?_count=50",
    "$everything, first page": "Patient/{patient}/$everything?_count=50",
    "the patient": "Patient?_id={patient}",
    "patient by identifier": "Patient?identifier={identifier}",
}  # fmt: skip
# What only the store's own callers ask. The large store has more matches, too, where it says "common".
OF_ALL = {
    "by name": "Patient?family={family}&birthdate=gt1950",
    "chain, one patient": "Observation?patient.identifier={identifier}&_count=50",
    "chain, common": "Observation?patient.gender=female&_count=50",
    "has, common": "Patient?_has:Condition:patient:code=44054006&_count=50",
    "type, first page": "Observation?_count=50",
    "common code": "Observation?code=http://loinc.org|4548-4&_count=50",
    "very common code": "Observation?category=laboratory&_count=50",
    "common code and value": "Observation?code-value-quantity=http://loinc.org|4548-4$gt6&_count=50",
    "code of few": "Observation?code={rare}&_count=50",
    "a day": "Observation?date=ge2020-01-01&date=lt2020-01-02&_count=50",
    "a month, by another date": "Condition?recorded-date=2020-01&_count=50",
    "latest first": "Observation?_sort=-date&_count=50",
    "last updated": "Observation?_lastUpdated=gt2020&_count=50",
    "type history": "Observation/_history?_count=50",
}  # fmt: skip
KINDS = OF_A_PATIENT | {f"{kind}, all patients": url for kind, url in OF_ALL.items()}


def start() -> Any:
    """The database server, with Django on its small database, migrated."""
    from config.embedded import OWNER, start_postgres

    postgres = start_postgres(VAR / "postgres", SMALL)
    os.environ |= {
        "CHARTKEY_ENV_FILE": os.devnull, "CHARTKEY_MODE": "test", "CHARTKEY_VAR": str(VAR),
        "DATABASE_POOL": "0", "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": postgres.url(OWNER, SMALL),
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


def fill(postgres: Any, size: int) -> None:
    """The development patients in one database, and at least `size` resources in the other: these, cloned."""
    import psycopg
    from django.core.management import call_command
    from django.db import connection

    from config.embedded import OWNER

    if not count():
        call_command("fhirstore_load", DATA)
    connection.close()
    with psycopg.connect(postgres.url("postgres", "postgres"), autocommit=True) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [LARGE]).fetchone():
            server.execute(f"CREATE DATABASE {LARGE} TEMPLATE {SMALL} OWNER {OWNER}")
    turn_to(LARGE)
    if (have := count()) < size:
        call_command("fhirstore_multiply", -(-(size - have) // max(base_count(), 1)))
    for database in (SMALL, LARGE):  # as autovacuum leaves them
        turn_to(database)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")


def turn_to(database: str) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = database


def base_count() -> int:
    from fhirstore.models import Resource

    return Resource.objects.exclude(fhir_id__regex=r"\.c\d+$").count()


def samples() -> dict[str, str]:
    """A patient with many labs and what belongs to it; and a code that only few results have, which are
    as many in both databases. Made of the small one."""
    (patient,) = _row(
        "SELECT patient FROM fhirstore_resource WHERE type = 'Observation'"
        " GROUP BY patient ORDER BY count(*) DESC, patient LIMIT 1"
    )
    (observation,) = _row(
        "SELECT fhir_id FROM fhirstore_resource"
        " WHERE type = 'Observation' AND patient = %s ORDER BY key LIMIT 1",
        patient,
    )
    found = json.loads(ask(f"Patient/{patient}"))
    identifier = found["identifier"][0]
    return {
        "patient": patient,
        "observation": observation,
        "identifier": f"{identifier['system']}|{identifier['value']}",
        "family": found["name"][0]["family"],
        "rare": RARE,
    }


def add_rare() -> None:
    """Some results with a code of their own, the same in each database, whatever its size."""
    from tests.fhirstore.calls import observation, put

    for database in (SMALL, LARGE):
        turn_to(database)
        for number in range(FEW):
            put(observation(f"rare-{number}", code={"coding": [{"code": RARE}]}, subject={"display": "x"}))


def _row(sql: str, *params: Any) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()


def ask(url: str) -> bytes:
    from tests.fhirstore.calls import get

    result = get(url)
    assert result.status == 200, (url, result.body)
    return result.body


def requests(only: str = "") -> dict[str, str]:
    """Kind of request -> its URL, on either database."""
    turn_to(SMALL)
    values = samples()
    return {kind: url.format(**values) for kind, url in KINDS.items() if only in kind}


def measure(only: str = "") -> Iterator[dict[str, Any]]:
    """One row for each kind of request, with R1, one SELECT by key: the least of three rounds, both databases
    in turn. `client` and `server` are CPU-us of this process and of its PostgreSQL backend."""
    calls = {"R1": one_select} | {kind: partial(ask, url) for kind, url in requests(only).items()}
    sizes = {}
    costs: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for _ in range(ROUNDS):
        for database in (SMALL, LARGE):
            turn_to(database)
            sizes[database] = count()
            for kind, call in calls.items():
                costs.setdefault((kind, database), []).append(cost(call))
    for kind in calls:
        row: dict[str, Any] = {"kind": kind}
        for database in sizes:
            client, server = min((each[1:] for each in costs[kind, database]), key=sum)
            row |= {f"{database} client": round(client), f"{database} server": round(server)}
            row[database] = round(client + server)
        yield row | {"growth": round(row[LARGE] / row[SMALL], 2), "sizes": [sizes[SMALL], sizes[LARGE]]}


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
    parser.add_argument("--large", type=int, default=1_000_000, help="resources in the large database")
    parser.add_argument("--only", default="", help="kinds of search with this in their name")
    parser.add_argument("--plans", action="store_true", help="print the plan of each search instead")
    asked = parser.parse_args()
    postgres = start()
    try:
        fill(postgres, asked.large)
        add_rare()
        if asked.plans:
            plans(asked.only)
        else:
            report(list(measure(asked.only)))
    finally:
        from django.db import connections

        connections.close_all()
        postgres.stop()


def plans(only: str) -> None:
    from tests.fhirstore.plans import explain

    urls = requests(only)
    turn_to(LARGE)
    for kind, url in urls.items():
        print(f"== {kind}: {url}", *explain(lambda url=url: ask(url)), sep="\n")


def report(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        numbers = [f"{row[f'{name} client']:>6} + {row[f'{name} server']:>6}" for name in (SMALL, LARGE)]
        print(f"{row['kind']:<42} {'   '.join(numbers)} CPU-us   x {row['growth']}")
    print(json.dumps([*rows, {"load": os.getloadavg()}]))


if __name__ == "__main__":
    main()
