"""A process that is killed in the middle of a transaction leaves nothing of it, and no lock."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from fhirstore.models import DateRow, QuantityRow, Resource, StringRow, Version
from tests.fhirstore.calls import bundle, entry, get, observation, patient, post, put

ROOT = Path(__file__).resolve().parents[2]
TABLES = (Resource, Version, DateRow, StringRow, QuantityRow)
# Sends the transaction in a process of its own, and stays where it is after the statement that a test names.
CHILD = """
import sys, time
import django
django.setup()
from django.db import connection
from tests.fhirstore.test_killed import hundred
from tests.fhirstore.calls import post

database, table = sys.argv[1:]
connection.settings_dict["NAME"] = database

def stay(execute, sql, params, many, context):
    result = execute(sql, params, many, context)
    if f"INTO {table}" in sql:
        print("written", flush=True)
        time.sleep(600)
    return result

with connection.execute_wrapper(stay):
    post("", hundred())
"""


def hundred() -> dict:
    """A transaction of 100: one resource that is there already, and 99 new ones."""
    labs = (observation(f"lab-{n}", valueString="x") for n in range(99))
    return bundle(
        "transaction",
        entry("PUT", "Patient/alice", patient(gender="female"), **{"ifMatch": 'W/"1"'}),
        *(entry("PUT", f"Observation/{each['id']}", each) for each in labs),
    )


@pytest.mark.parametrize("table", ["fhirstore_resource", "fhirstore_stringrow"])
def test_a_process_killed_in_the_middle_of_a_transaction_of_100_leaves_nothing(committed, table):
    put(patient())
    before = {each: each.objects.count() for each in TABLES}
    command = [sys.executable, "-c", CHILD, connection.settings_dict["NAME"], table]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "written\n"
        assert get("Observation").ids == []  # nobody sees half of it
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL

    assert {each: each.objects.count() for each in TABLES} == before
    assert get("Patient/alice").headers["ETag"] == 'W/"1"'
    assert post("", hundred()).status == 200  # and nothing of it stands in the way
    assert len(get("Observation?_count=200").ids) == 99
