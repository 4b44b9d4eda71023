"""The stream that a bulk export reads from."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from fhirstore import export, portions
from fhirstore.export import Selection, pages, stream
from fhirstore.models import Resource
from tests.fhirstore.calls import call, encounter, get, observation, patient, put

pytestmark = pytest.mark.django_db

TYPES = ("Patient", "Encounter", "Observation")
ODD = 'a "quote", a \\ backslash,\ta tab\nand a line; \u2028 é'


@pytest.fixture(autouse=True)
def records() -> None:
    put(patient("alice"))
    put(patient("bob"))
    for number in range(7):
        put(observation(f"a{number}", valueString=ODD))
    put(observation("b", subject={"reference": "Patient/bob"}, performer=[{"reference": "Patient/alice"}]))
    put(encounter("visit"))
    put(observation("gone"))
    call("DELETE", "Observation/gone")


def read(selection: Selection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, ndjson in stream(selection):
        found.setdefault(kind, []).extend(json.loads(line)["id"] for line in ndjson.splitlines())
    return found


def test_all_of_the_types_come_in_order():
    assert read(Selection(TYPES)) == {
        "Patient": ["alice", "bob"],
        "Encounter": ["visit"],
        "Observation": ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "b"],
    }


def test_a_line_is_what_a_read_serves():
    lines = b"".join(ndjson for _, ndjson in stream(Selection(("Observation",)))).split(b"\n")
    assert lines[0] == get("Observation/a0").body
    assert json.loads(lines[0])["valueString"] == ODD


def test_the_records_of_some_patients():
    assert read(Selection(TYPES, patients=("bob",))) == {"Patient": ["bob"], "Observation": ["b"]}
    assert read(Selection(TYPES, patients=())) == {}


def test_what_was_written_within_a_time():
    now = datetime.now(UTC)
    assert read(Selection(TYPES, since=now + timedelta(minutes=1))) == {}
    assert read(Selection(TYPES, until=now - timedelta(minutes=1))) == {}


@pytest.mark.parametrize("patients", [None, ("alice", "bob")])
def test_a_stream_goes_on_behind_any_page(patients, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    monkeypatch.setattr(export, "PATIENTS_AT_ONCE", 1)
    selection = Selection(TYPES, patients=patients)
    whole = list(pages(selection))

    assert len(whole) > 5
    for number, page in enumerate(whole):
        assert list(pages(selection, page.place)) == whole[number + 1 :]


def test_pages_are_bounded_by_bytes_and_hold_one_resource_at_least(monkeypatch):
    monkeypatch.setattr(export, "PAGE_BYTES", 1)
    found = list(pages(Selection(("Observation",))))
    assert [page.count for page in found] == [1] * 8


def test_between_pages_the_connection_is_free():
    for _ in stream(Selection(TYPES)):
        assert get("Patient/alice").status == 200


def test_portions_are_a_patients_records_by_type_and_stamp():
    Resource.objects.filter(fhir_id__in=["a1", "a3"]).update(stamp=7)
    Resource.objects.filter(fhir_id__in=["a0", "a2", "a4", "a5", "a6", "b"]).update(stamp=None)
    found = [
        (who, kind, stamp, count, [json.loads(line)["id"] for line in bodies.split(b"\n")])
        for who, kind, stamp, count, bodies in portions.portions(
            ["bob", "alice"], ["Observation", "Encounter"]
        )
    ]

    assert [one for one in found if one[1] == "Observation"] == [
        ("bob", "Observation", None, 1, ["b"]),
        ("alice", "Observation", 7, 2, ["a1", "a3"]),
        ("alice", "Observation", None, 5, ["a0", "a2", "a4", "a5", "a6"]),
    ]
    assert [one[0] for one in found] == ["bob", "alice", "alice", "alice"]


def test_a_stamp_is_of_one_version():
    put(observation("a1", valueString="changed"))
    stamp = Resource.objects.get(fhir_id="a1").stamp
    portions.set_stamps([("Observation", "a0", 1, 5), ("Observation", "a1", 1, 5)])

    assert Resource.objects.get(fhir_id="a0").stamp == 5
    assert Resource.objects.get(fhir_id="a1").stamp == stamp
