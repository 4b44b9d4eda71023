"""Clones are resources like any other, and no search walks a table from end to end."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests.fhirstore.calls import call, encounter, get, observation, patient, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def records() -> None:
    put({"resourceType": "Practitioner", "id": "osei"})
    put(patient("alice", identifier=[{"system": "urn:mrn", "value": "1"}], meta={"profile": ["urn:p"]},
                generalPractitioner=[{"reference": "Practitioner/osei"}]))  # fmt: skip
    put(patient("bob"))
    put(encounter("visit"))
    put(observation("lab", status="preliminary", encounter={"reference": "Encounter/visit"}))
    put(observation("lab", encounter={"reference": "Encounter/visit"}, meta={"tag": [{"code": "t"}]},
                    performer=[{"reference": "Practitioner/osei"}]))  # fmt: skip


def multiply(times: int) -> str:
    out = io.StringIO()
    call_command("fhirstore_multiply", times, stdout=out)
    return out.getvalue()


def test_a_clone_refers_to_clones_and_is_found_by_them(records):
    assert "Clone 2 of 2: 8 resources" in multiply(2)

    lab = get("Observation/lab.c2").json
    assert lab["subject"] == {"reference": "Patient/alice.c2"}
    assert lab["encounter"] == {"reference": "Encounter/visit.c2"}
    assert lab["performer"] == [{"reference": "Practitioner/osei"}]
    for url in ("Observation?patient=alice.c2", "Observation?encounter=visit.c2",
                "Observation?subject=Patient/alice.c2&code=2093-3&value-quantity=5&date=2026-05",
                "Patient/alice.c2/Observation", "Observation?patient.identifier=urn:mrn|1.c2"):  # fmt: skip
        assert get(url).ids == ["lab.c2"], url
    assert get("Observation?patient=alice").ids == ["lab"]
    assert get("Patient?identifier=urn:mrn|1.c1").ids == ["alice.c1"]
    assert sorted(get("Observation?performer=Practitioner/osei").ids) == ["lab", "lab.c1", "lab.c2"]
    assert {"visit.c1", "lab.c1"} <= set(get("Patient/alice.c1/$everything").ids)


@pytest.mark.parametrize("url", ["Observation/lab.c1", "Patient/alice.c1", "Encounter/visit.c1"])
def test_a_clone_is_kept_as_if_it_had_been_sent(records, url):
    multiply(1)
    clone = get(url)
    assert clone.headers["ETag"] == 'W/"1"'
    assert clone.json["meta"]["versionId"] == "1"

    again = call("PUT", url, clone.json)
    assert again.headers["ETag"] == 'W/"1"'  # the same content: no new version
    assert call("PUT", url, clone.json | {"language": "en"}).headers["ETag"] == 'W/"2"'


def test_multiplying_again_makes_further_clones_of_the_originals(records):
    multiply(1)
    multiply(1)
    assert sorted(get("Observation?_count=9").ids) == ["lab", "lab.c1", "lab.c2"]
    put(patient("new"))
    assert get("Patient/new").status == 200


def test_nothing_to_clone_is_said():
    with pytest.raises(CommandError, match="fhirstore_load"):
        multiply(1)
    with pytest.raises(CommandError, match="from 1"):
        multiply(0)
