"""No search walks a table of over 10,000 rows from end to end."""

import io
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from tests.fhirstore.calls import LOINC, bundle, encounter, entry, get, observation, patient, post
from tests.fhirstore.conftest import TABLES
from tests.fhirstore.plans import explain, sequential

pytestmark = pytest.mark.django_db

LARGE = 10_000
PATIENTS, CLONES = 10, 20


def records() -> Iterator[dict]:
    for number in range(PATIENTS):
        p = f"p{number}"
        subject = {"subject": {"reference": f"Patient/{p}"}}
        yield patient(p, identifier=[{"system": "urn:mrn", "value": p}], name=[{"family": f"Moreno{number}"}],
                      gender=("female", "male")[number % 2])  # fmt: skip
        yield encounter(f"visit-{p}", **subject)
        for n in range(50):
            yield observation(f"lab-{p}-{n}", **subject, effectiveDateTime=f"20{n:02}-05-01",
                              encounter={"reference": f"Encounter/visit-{p}"},
                              code={"coding": [{"system": LOINC, "code": f"{n}-1"}]})  # fmt: skip
        for n in range(50):
            yield observation(f"text-{p}-{n}", **subject, valueString=f"word{n} of many",
                              category=[{"coding": [{"code": "survey"}]}])  # fmt: skip
        for n in range(26):
            day = f"20{n:02}-01-01"
            yield {"resourceType": "Condition", "id": f"c-{p}-{n}", **subject, "onsetDateTime": day,
                   "recordedDate": day, "abatementDateTime": day,
                   "code": {"coding": [{"code": f"c{n}"}]}}  # fmt: skip


@pytest.fixture(scope="module")
def large(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[set[str]]:
    """A store with so many rows that PostgreSQL would rather read all of some tables; their names."""
    with django_db_blocker.unblock():
        try:
            entries = (entry("PUT", f"{r['resourceType']}/{r['id']}", r) for r in records())
            assert post("", bundle("transaction", *entries)).status == 200
            call_command("fhirstore_multiply", CLONES, stdout=io.StringIO())
            with connection.cursor() as cursor:
                for table in TABLES.split(", "):
                    cursor.execute(f"ANALYZE {table}")
                cursor.execute(
                    "SELECT relname FROM pg_class WHERE relname LIKE 'fhirstore%%' AND relkind = 'r'"
                    " AND reltuples > %s", [LARGE],
                )  # fmt: skip
                yield {name for (name,) in cursor.fetchall()}
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {TABLES}")
            connection.close()


def test_the_tables_that_are_searched_are_large(large):
    assert large == {
        "fhirstore_resource",
        "fhirstore_daterow",
        "fhirstore_stringrow",
        "fhirstore_quantityrow",
    }


@pytest.mark.parametrize("url", [
    "Observation/lab-p1-1", "Observation/lab-p1-1/_history", "Observation/lab-p1-1/_history/1",
    "Observation", "Observation?_count=5", "Patient", "Condition?_sort=-_lastUpdated",
    "Observation?_id=lab-p1-1", "Observation?_lastUpdated=gt2020", "Observation?_sort=-date",
    "Observation?patient=p1&_sort=-date", "Observation?patient=p1&category=laboratory&code=1-1",
    "Observation?patient=p1,p2&date=ge2010", "Observation?patient=nobody",
    "Observation?code=http://loinc.org|1-1", "Observation?code=1-1,2-1", "Observation?code=nothing",
    "Observation?code=1-1&status=final", "Observation?code:not=1-1", "Observation?status=final",
    "Observation?encounter=Encounter/visit-p1.c7", "Observation?subject=Patient/p1.c7",
    "Observation?date=2010-05-01", "Observation?date=gt2010", "Observation?date:missing=true",
    "Condition?onset-date=2010-01-01", "Condition?recorded-date=ge2019", "Condition?onset-date=lt1900",
    "Condition?onset-date=ne2010", "Condition?patient=p1&onset-date=gt2010",
    "Observation?value-quantity=5", "Observation?value-quantity=gt6", "Observation?value-quantity=7||mmol/L",
    "Observation?code-value-quantity=1-1$gt5", "Observation?combo-code-value-quantity=1-1$lt5",
    "Observation?value-string=word7", "Observation?value-string=zebra",
    "Observation?code=7-1&value-string:contains=many", "Observation?patient=p1&value-string:contains=zebra",
    "Patient?identifier:of-type=a|b|c", "Observation?subject:identifier=urn:mrn|p1",
    "Observation?value-string:exact=word7 of many",
    "Patient?family=moreno3", "Patient?identifier=urn:mrn|p1.c7", "Patient?gender=female&_sort=family",
    "Observation?patient.family=moreno3", "Observation?patient.gender=female",
    "Observation?patient.identifier=urn:mrn|p1.c7", "Patient?_has:Observation:patient:code=1-1",
    "Patient?_has:Condition:patient:code=nothing", "Observation?encounter.status=planned",
    "Observation?patient=p1&_include=Observation:encounter&_include=Observation:subject",
    "Encounter?patient=p1&_revinclude=Observation:encounter", "Patient/p1.c7/Observation?code=1-1",
    "Patient/p1/$everything", "Patient/p1/$everything?_since=2020", "Observation/_history?_count=5",
    "Observation?patient=p1&_summary=count", "Observation?code=1-1&_total=accurate&_count=1",
])  # fmt: skip
def test_no_search_reads_a_large_table_whole(large, url):
    lines = explain(lambda: get(url))

    assert lines
    assert sequential(lines, large) == []


@pytest.mark.parametrize("url", [
    "Observation?_count=5", "Observation?code=1-1&_count=5", "Observation?_sort=-date&_count=5",
    "Condition?_sort=onset-date&_count=5&patient=p1", "Observation/_history?_count=5",
])  # fmt: skip
def test_the_next_page_does_not_either(large, url):
    following = get(url).next

    assert sequential(explain(lambda: get(following)), large) == []


@pytest.mark.parametrize("url", [
    "Observation?patient=p1&category=laboratory&_summary=count", "Observation?category=laboratory&patient=p1",
    "Observation?patient=p1&code=1-1,2-1", "Observation?patient=p1&code:not=1-1",
    "Observation?_id=lab-p1-1&code=1-1",
    "Observation?patient=p1&date:missing=true", "Observation?patient=p1&code-value-quantity=1-1$gt5",
    "Observation?patient=p1&value-string:contains=zebra", "Observation?patient=p1,p2&status=final",
    "Observation?patient.identifier=urn:mrn|p1&status=final",
])  # fmt: skip
def test_a_search_of_a_record_reads_no_index_of_what_everybody_has(large, url):
    (line, *others) = [each for each in explain(lambda: get(url)) if "resource_terms" in each] or [""]

    # The chain looks its patient up by the identifier, and for nothing else.
    assert others == []
    assert bool(line) == ("identifier" in url)


def test_the_check_would_see_it(large):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (COSTS OFF) SELECT max(length(body)) FROM fhirstore_resource")
        assert sequential([line for (line,) in cursor.fetchall()], large) != []


def test_a_search_is_planned_for_its_values_however_often_it_is_asked(large):
    url = "Observation?patient=p1&category=laboratory&_sort=-date"
    for _ in range(12):
        get(url)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%fhirstore_resource r%'"
        )
        assert cursor.fetchall() == []
