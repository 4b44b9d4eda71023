"""A few files of the development data, where they are: messy in ways that we did not think of."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhirstore import sources
from fhirstore.documents import parse
from fhirstore.index import index
from fhirstore.loading import Loader
from fhirstore.sources import Reject
from tests.fhirstore.calls import get

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not on this machine"),
]


def load(*paths: str, as_is: bool = False) -> tuple[Loader, list[Reject]]:
    rejects: list[Reject] = []
    loader = Loader(rejects.append, as_is=as_is)
    files, lost, _ = sources.find([DATA / path for path in paths])
    assert not lost
    for file in files:
        for unit in sources.read(file):
            loader.take(unit)
    loader.finish()
    return loader, rejects


def lines(folder: str) -> Iterator[bytes]:
    for path in sorted((DATA / folder).glob("*.ndjson.gz")):
        with gzip.open(path) as file:
            yield from file


def without_stamp(document: dict) -> dict:
    meta = {k: v for k, v in document.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    return {k: v for k, v in document.items() if k != "meta"} | ({"meta": meta} if meta else {})


@pytest.mark.parametrize(
    ("folder", "count", "as_is"),
    [
        ("r4-spec", 698, True), ("us-core-6.1.0", 183, False), ("ips", 44, False), ("carin-bb", 42, False),
        ("genomics", 185, False), ("shift-labelled", 118, False), ("ihe-pcf-consent", 45, False),
    ],
)  # fmt: skip
def test_all_examples_load_and_come_back_as_they_were(folder, count, as_is):
    loader, rejects = load(f"examples/{folder}", as_is=as_is)

    assert rejects == []
    assert loader.done_count == count
    for line in lines(f"examples/{folder}"):
        sent = json.loads(line, parse_float=str)
        served = get(f"{sent['resourceType']}/{sent['id']}").body
        assert without_stamp(json.loads(served, parse_float=str)) == without_stamp(sent)


def test_the_conformance_records_load_but_for_one_that_is_not_r4():
    loader, rejects = load("examples/uscore-conformance", "examples/smart-compartment")

    assert {each.reason.partition(":")[0] for each in rejects} == {
        "Appointment.participant[0].status", "ImagingStudy.series[0].instance[0].sopClass"
    }  # fmt: skip
    assert loader.done_count > 900


def test_conditional_references_of_a_record_are_resolved_with_its_infrastructure():
    _, rejects = load("patients/infra", "patients/synthea_hiv_badcodes")

    assert rejects == []
    encounter = get("Encounter?_count=1").json["entry"][0]["resource"]
    practitioner = encounter["participant"][0]["individual"]["reference"]
    assert practitioner.startswith("Practitioner/")
    assert get(practitioner).status == 200


def test_without_the_infrastructure_each_resource_that_needs_it_is_named():
    loader, rejects = load("patients/synthea_hiv_badcodes")

    assert rejects
    assert all("conditional reference fits no resource" in each.reason for each in rejects)
    assert loader.done_count + len(rejects) == 1453


def test_a_whole_patient_can_be_searched():
    file = sorted((DATA / "patients/pysynthea").glob("*.json.gz"))[0]
    _, rejects = load(str(file))
    fhir_id = get("Patient").ids[0]

    assert rejects == []
    labs = get(f"Observation?patient={fhir_id}&category=laboratory&_sort=-date&_count=1000")
    dates = [each["resource"]["effectiveDateTime"] for each in labs.json["entry"]]
    assert len(dates) > 20
    assert dates == sorted(dates, reverse=True)


def test_every_us_core_example_can_be_indexed():
    for line in lines("examples/us-core-6.1.0"):
        index(parse(line))
