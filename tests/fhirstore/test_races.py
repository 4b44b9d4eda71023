"""Transactions that want the same resources in another order. (Races for one resource: test_write.)"""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from tests.fhirstore.calls import bundle, entry, get, patient, post


def test_transactions_that_create_the_same_in_opposite_orders_are_done_or_told_to_come_again(committed):
    people = [entry("PUT", f"Patient/p{n}", patient(f"p{n}")) for n in range(100)]
    start = threading.Barrier(8)

    def send(number: int) -> int:
        try:
            start.wait()
            return post("", bundle("transaction", *(people if number % 2 else reversed(people)))).status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(send, range(8)))

    assert 200 in statuses
    assert statuses <= {200, 409}
    assert len(get("Patient?_count=200").ids) == 100
