"""Pages: every match once, in order, whatever is written in between."""

import threading

import pytest
from django.db import connection

from tests.fhirstore.calls import call, get, observation, put


def walk(url: str) -> list[str]:
    """Ids from all pages, in order."""
    found: list[str] = []
    next_url: str | None = url
    while next_url:
        page = get(next_url)
        found += page.ids
        next_url = page.next
    return found


def lay_out(count: int, days: list[int] | None = None) -> list[str]:
    ids = [f"o{number}" for number in range(count)]
    for number, fhir_id in enumerate(ids):
        day = (days or [1])[number % len(days or [1])]
        put(observation(fhir_id, effectiveDateTime=f"2026-05-{day:02d}"))
    return ids


@pytest.mark.django_db
def test_pages_visit_each_match_once():
    ids = lay_out(7)
    assert walk("Observation?patient=alice&_count=2") == ids


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("date", [4, 1, 0, 3, 2]),
        ("-date", [2, 3, 0, 1, 4]),
        ("_id", [0, 1, 2, 3, 4]),
        ("-_id", [4, 3, 2, 1, 0]),
        ("date,-_id", [4, 1, 3, 0, 2]),
        ("-date,_id", [2, 0, 3, 1, 4]),
        ("-value-date,_id", [2, 0, 1, 3, 4]),
        ("value-date,-_id", [4, 3, 1, 0, 2]),
    ],
)
def test_sorted_pages_visit_each_match_once_in_order(sort, order):
    lay_out(4, days=[5, 3, 9, 5])
    undated = observation("o4")
    del undated["effectiveDateTime"]
    put(undated)
    dated_twice = observation("o2", effectiveDateTime="2026-05-09", valueDateTime="2026-01-01")
    put(dated_twice)
    for count in (1, 2, 50):
        found = walk(f"Observation?patient=alice&_sort={sort}&_count={count}")
        assert found == [f"o{number}" for number in order]


@pytest.mark.django_db
def test_sorted_by_the_time_of_change():
    lay_out(4)
    put(observation("o1", status="amended"))

    times = [
        get(f"Observation/{i}").json["meta"]["lastUpdated"] for i in walk("Observation?_sort=_lastUpdated")
    ]

    assert len(times) == 4
    assert times == sorted(times)


@pytest.mark.django_db
def test_the_next_link_keeps_the_search():
    lay_out(3)
    first = get("Observation?patient=alice&code=2093-3&_count=1&_sort=-date")

    assert first.next.startswith("Observation?patient=alice&code=2093-3&_count=1&_sort=-date&_cursor=")
    assert "http" not in first.next


@pytest.mark.django_db
def test_a_cursor_of_another_sort_is_refused():
    lay_out(3)
    cursor = get("Observation?_count=1&_sort=-date").next.rpartition("_cursor=")[2]
    assert get(f"Observation?_count=1&_sort=-date&_cursor={cursor}").status == 200
    assert get(f"Observation?_count=1&_cursor={cursor}").status == 400
    assert get(f"Observation?_count=1&_sort=date,_id&_cursor={cursor}").status == 400


@pytest.mark.django_db
def test_count_is_capped_and_the_self_link_tells():
    result = get("Observation?_count=5000")
    assert result.json["link"][0]["url"] == "Observation?_count=1000"


@pytest.mark.django_db
def test_an_updated_match_is_still_visited_once():
    ids = lay_out(4)
    first = get("Observation?_count=2")
    put(observation("o0", status="amended"))
    put(observation("o3", status="amended"))

    assert first.ids + walk(first.next) == ids


@pytest.mark.django_db
def test_a_deleted_match_leaves_no_hole():
    lay_out(5)
    first = get("Observation?_count=2")
    call("DELETE", "Observation/o1")
    call("DELETE", "Observation/o2")

    assert first.ids + walk(first.next) == ["o0", "o1", "o3", "o4"]


def test_pages_visit_each_once_while_others_write(committed):
    ids = lay_out(40)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            put(observation(f"new{number}", effectiveDateTime="2026-05-01"))
            number += 1
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        rounds = [
            [i for i in walk(f"Observation?_count=7{sort}&_lastUpdated=lt{cut}") if i in set(ids)]
            for sort in ("", "&_sort=-date", "&_sort=_lastUpdated")
            for cut in ("2999",)
        ]
    finally:
        stop.set()
        writer.join()

    for found in rounds:
        assert sorted(found) == sorted(ids)
