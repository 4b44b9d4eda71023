"""History of a resource and of a type; $docref."""

import pytest

from tests.fhirstore.calls import call, get, observation, patient, post, put

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def records() -> None:
    for number in range(3):
        put(patient("alice", active=bool(number % 2)))
    put(patient("tom"))
    put(observation("o1"))
    call("DELETE", "Patient/tom")


def told(url: str) -> list[str]:
    """`Type/id/version` of each entry, in order; `-` before a deletion."""
    found = []
    for each in get(url).json.get("entry", []):
        mark = "-" if each["request"]["method"] == "DELETE" else ""
        found.append(f"{mark}{each['request']['url']}/{each['response']['etag'][3:-1]}")
    return found


EVERYTHING = ["-Patient/tom/2", "Patient/tom/1", "Patient/alice/3", "Patient/alice/2", "Patient/alice/1"]


def test_the_history_of_a_type_has_all_versions_newest_first():
    assert sorted(told("Patient/_history")) == sorted(EVERYTHING)
    times = [e["response"]["lastModified"] for e in get("Patient/_history").json["entry"]]
    assert times == sorted(times, reverse=True)
    assert told("Condition/_history") == []


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_pages_of_a_type_visit_each_version_once(count):
    seen, url = [], f"Patient/_history?_count={count}"
    while url:
        page = get(url)
        seen += told(url)
        url = page.next
    assert sorted(seen) == sorted(EVERYTHING)
    assert len(seen) == len(EVERYTHING)


def test_the_history_of_a_type_since_a_time():
    assert len(told("Patient/_history?_since=2020-01-01")) == 5
    assert told("Patient/_history?_since=2999-01-01") == []
    assert told("Patient/alice/_history?_since=2999-01-01") == []


def test_the_versions_of_one_resource():
    assert told("Patient/alice/_history?_count=2") == ["Patient/alice/3", "Patient/alice/2"]
    assert told(get("Patient/alice/_history?_count=2").next) == ["Patient/alice/1"]


@pytest.mark.parametrize("query", ["_count=x", "_cursor=x", "_cursor=1-2", "_since=soon", "nonsense=1"])
def test_what_cannot_be_read_is_refused(query):
    assert get(f"Patient/_history?{query}").status == 400
    assert get(f"Patient/alice/_history?{query}").status == 400


def test_a_history_of_nothing_is_not_found():
    assert get("Patient/nobody/_history").status == 404


class TestDocref:
    @pytest.fixture(autouse=True)
    def letters(self) -> None:
        for fhir_id, status, year in (("old", "superseded", 2020), ("new", "current", 2026)):
            put(
                {
                    "resourceType": "DocumentReference", "id": fhir_id, "status": status,
                    "type": {"coding": [{"system": "http://loinc.org", "code": "34133-9"}]},
                    "subject": {"reference": "Patient/alice"},
                    "content": [{"attachment": {"url": "Binary/1"}}],
                    "context": {"period": {"start": f"{year}-02-01", "end": f"{year}-02-03"}},
                }
            )  # fmt: skip

    @pytest.mark.parametrize(("query", "ids"), [
        ("patient=alice", "new"), ("patient=Patient/alice&start=2019", "new old"),
        ("patient=alice&start=2021", "new"), ("patient=alice&start=2019&end=2020-12", "old"),
        ("patient=alice&start=2020-02-02&end=2020-02-02", "old"),
        ("patient=alice&type=http://loinc.org|34133-9", "new"), ("patient=alice&type=x", ""),
        ("patient=tom", ""),
    ])  # fmt: skip
    def test_the_documents_of_a_patient(self, query, ids):
        assert sorted(get(f"DocumentReference/$docref?{query}").ids) == ids.split()

    def test_parameters_come_in_a_body_too(self):
        asked = [{"name": "patient", "valueId": "alice"}, {"name": "on-demand", "valueBoolean": False}]
        result = post("DocumentReference/$docref", {"resourceType": "Parameters", "parameter": asked})
        assert result.ids == ["new"]

    @pytest.mark.parametrize("query", ["", "patient=alice&on-demand=true", "patient=alice&x=1", "start=2020"])
    def test_what_is_not_possible_is_refused(self, query):
        assert get(f"DocumentReference/$docref?{query}").status == 400
