"""Our CCDs read by somebody else's program: the facts that went in are the facts that it finds."""

import json
import subprocess
from collections import Counter

import pytest

from exports.formats import ccd
from tests.exports.formats import cast
from tests.node import CLIENTS, node

__all__ = ["node"]  # a fixture
CODED = ("AllergyIntolerance", "Condition")  # in FHIR and C-CDA by the same code
VITALS = {"8480-6": "systolic", "8462-4": "diastolic", "8867-4": "pulse", "29463-7": "weight"}


@pytest.fixture(scope="module")
def found(node) -> dict[str, dict[str, list[dict]]]:
    """What it reads of each chart, by type; once for all tests."""
    documents = [ccd.file(chart, cast.about(chart)).decode() for chart in cast.CHARTS.values()]
    command = ["node", str(CLIENTS / "ccda.mjs"), str(node)]
    said = json.dumps(documents)
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    return dict(zip(cast.CHARTS, json.loads(done.stdout), strict=True))


def codes(resources: list[dict]) -> set[str]:
    return {coding["code"] for r in resources for coding in r.get("code", {}).get("coding", [])[:1]}


@pytest.mark.parametrize("name", list(cast.CHARTS))
def test_the_facts_that_went_in_are_found(found, name):
    chart = cast.CHARTS[name]
    read = found[name]

    for kind in CODED:
        went_in = codes([r for r in chart if r["resourceType"] == kind])
        assert codes(read.get(kind, [])) <= went_in, kind
        assert bool(read.get(kind)) == bool(went_in), kind
    (patient,) = read["Patient"]
    assert patient["name"][0]["family"] == chart[0]["name"][0]["family"]
    assert patient["birthDate"] == chart[0]["birthDate"]


def values(resources: list[dict]) -> Counter:
    return Counter(
        (coding["code"], float(part["valueQuantity"]["value"]))
        for resource in resources
        for part in (resource, *resource.get("component", []))
        for coding in part.get("code", {}).get("coding", [])[:1]
        if coding["code"] in VITALS and "valueQuantity" in part
    )


def test_numbers_come_out_as_they_went_in(found):
    went_in = values([r for r in cast.CHARTS["alice"] if r["resourceType"] == "Observation"])

    assert went_in
    assert values(found["alice"]["Observation"]) == went_in
