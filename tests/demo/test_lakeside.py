"""The demo's second EHR answers as its adapter expects, and the seeder links Alice to it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.error import HTTPError

import pytest

from accounts.models import PatientIdentity
from demo import people, second_ehr
from demo.lakeside.records import PATIENT, records
from demo.population.stories import alice as story
from fhirproxy import health, upstream
from fhirproxy.messages import FhirRequest
from fhirproxy.models import Source
from portal.combining import Item, Origin, combine
from tests import factories

DAY = date(2026, 3, 9)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    command = [sys.executable, "-m", "demo.lakeside", "--port", "0", "--today", DAY.isoformat()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


def source(base: str) -> Source:
    return Source(
        slug="lakeside", name="Lakeside", kind="http", base_url=base, adapter=Source.Adapter.ORACLE_LIKE
    )


def test_second_ehr_is_found_to_be_well(base):
    finding = health.check(source(base))

    assert (finding.state, finding.problem) == ("up", "")
    assert {"AllergyIntolerance", "Observation", "Patient"} <= set(finding.types.split())


def test_second_ehr_says_what_it_can_be_searched_by(base):
    statement = json.load(urllib.request.urlopen(f"{base}/metadata"))
    said = {r["type"]: {p["name"] for p in r["searchParam"]} for r in statement["rest"][0]["resource"]}

    assert {kind for kind, names in said.items() if "patient" not in names} == {"Patient"}
    assert {"_id", "birthdate", "family", "given", "identifier"} == said["Patient"]
    assert "date" not in said["Patient"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("family=moreno&given=alice", 1),
        ("birthdate=1979-04-17&family=Moreno", 1),
        ("birthdate=1980-04-17&family=Moreno", 0),
        ("identifier=urn:oid:2.16.840.1.113883.19.7|90211", 1),
        ("identifier=urn:other|90211", 0),
    ],
)
def test_second_ehr_finds_a_patient(base, query, found):
    answer = json.load(urllib.request.urlopen(f"{base}/Patient?{query}"))

    assert len(answer["entry"]) == found


def test_conditions_are_asked_for_as_it_wants(base):
    asked = FhirRequest("GET", "Condition", (("patient", PATIENT),))

    answer = upstream.of(source(base)).send(asked)

    assert answer.status == 200
    assert len(json.loads(answer.body)["entry"]) == 2
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(f"{base}/Condition?patient={PATIENT}")
    with refused.value:
        assert refused.value.code == 400


def test_another_patient_has_nothing_there(base):
    answer = upstream.of(source(base)).send(FhirRequest("GET", "Observation", (("patient", "lk-1"),)))

    assert json.loads(answer.body)["entry"] == []


def test_its_records_meet_those_of_the_story():
    """What is meant to be the same is the same: the LDL, the metformin, the penicillin, the diabetes."""
    clinic, hospital = Origin("embedded", "Clinic"), Origin("lakeside", "Lakeside", False)
    theirs = [Item(resource, hospital) for resource in records(DAY)]

    shown = combine([*(Item(r, clinic) for r in story.chart(DAY).resources), *theirs])

    both = {one.item.resource["id"] for one in shown if one.also}
    assert both == {"alice-ldl-7", "alice-rx-metformin-1", "alice-penicillin-1", "alice-diabetes-1"}


def test_seeder_links_alice_and_follows_the_port(db, settings):
    people.make_source()
    patient = factories.create_patient("Alice Moreno")
    PatientIdentity.objects.filter(patient=patient).update(source=people.SOURCE, fhir_id="alice")
    for port in (8002, 8003):
        settings.LAKESIDE_URL = f"http://127.0.0.1:{port}/lakeside/fhir"
        second_ehr.make_source()

    assert Source.objects.get(slug="lakeside").base_url.startswith("http://127.0.0.1:8003/")
    assert PatientIdentity.objects.get(source="lakeside").fhir_id == PATIENT


def test_without_its_address_there_is_no_second_ehr(db, settings):
    people.make_source()
    settings.LAKESIDE_URL = ""

    second_ehr.make_source()

    assert not Source.objects.filter(slug="lakeside").exists()
