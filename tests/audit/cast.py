"""Entries as the rooms above write them, and the superuser who tampers with them (A24)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from audit import sequencer
from audit.events import EventType, Outcome
from audit.log import Entry
from tests.audit import tampering

ALICE, MALLORY = "Patient/0197-alice", "Patient/0197-mallory"
ALICE_USER, AMIR_USER = "User/0197-alice", "User/0197-amir"
ACME = "Client/glucotrack"


def entry(**changes: Any) -> Entry:
    """GlucoTrack reads Alice's test results."""
    values: dict[str, Any] = {
        "type": EventType.RECORD_SEARCH,
        "outcome": Outcome.PERMIT,
        "actor": ACME,
        "role": "client",
        "patient": ALICE,
        "client": ACME,
        "interaction": "search-type",
        "resource_types": ("Observation",),
        "categories": ("test-results",),
        "purpose": "PATRQT",
        "consent": "Consent/0197",
        "consent_number": 1,
        "count": 12,
    }
    return Entry(**(values | changes))


@contextmanager
def connected_as(role: str) -> Iterator[psycopg.Connection]:
    """A connection of that role to the database of the test."""
    parameters = connection.get_connection_params()
    where = {name: parameters[name] for name in ("host", "dbname") if name in parameters}
    with psycopg.connect(**where, user=role, autocommit=True) as other:
        yield other


def tamper(sql: str, *parameters: Any) -> int:
    """Direct SQL by the superuser, with triggers off; the number of rows it reached."""
    tampering.tampered = True
    with connected_as("postgres") as superuser:
        superuser.execute("SET session_replication_role = replica")
        return superuser.execute(sql, parameters).rowcount


def settle() -> None:
    """Wait until every event may get its place. Tests that run beside this one share the cluster's
    horizon: while one of them has written and not ended, nothing that came later is placed."""
    deadline = time.monotonic() + 180  # a browser may look at many pages in one transaction
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(xid) < pg_snapshot_xmin(pg_current_snapshot()) FROM audit_event")
            if cursor.fetchone()[0] is not False:
                return
        assert time.monotonic() < deadline, "another transaction stays open"
        time.sleep(0.01)


def tick(**options: Any) -> int:
    settle()
    return sequencer.tick(**options)
