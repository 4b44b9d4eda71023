"""Dates, paths and terms: what resources are found by, taken apart."""

import gzip
import json
import re
from pathlib import Path

import fhirpathpy
import pytest
from fhirpathpy.models import models

from fhirstore.dates import BEGINNING, END, span
from fhirstore.definitions import PARAMETERS, PATIENT_CODES, TYPES
from fhirstore.index import index
from fhirstore.paths import compile_path

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "examples" / "us-core-6.1.0"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", "2026-01-01T05:00:00", "2027-01-01T05:00:00"),  # the clinic is in New York
        ("2026-02", "2026-02-01T05:00:00", "2026-03-01T05:00:00"),
        ("2024-12", "2024-12-01T05:00:00", "2025-01-01T05:00:00"),
        ("2026-03-08", "2026-03-08T05:00:00", "2026-03-09T04:00:00"),  # clocks go forward
        ("2026-05-01T10:30:00Z", "2026-05-01T10:30:00", "2026-05-01T10:30:01"),
        ("2026-05-01T10:30Z", "2026-05-01T10:30:00", "2026-05-01T10:31:00"),
        ("2026-05-01T10:30:00.25Z", "2026-05-01T10:30:00.250000", "2026-05-01T10:30:00.260000"),
        ("2026-05-01T10:30:00-07:00", "2026-05-01T17:30:00", "2026-05-01T17:30:01"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59", "2017-01-01T00:00:00"),
    ],
)
def test_a_date_covers_what_it_leaves_open(text, low, high):
    start, end = span(text)
    assert (start.isoformat().removesuffix("+00:00"), end.isoformat().removesuffix("+00:00")) == (low, high)


@pytest.mark.parametrize(
    ("text", "low", "high"), [("0001-01-01T00:00:00+14:00", BEGINNING, None), ("9999", None, END)]
)
def test_the_ends_of_time_do_not_overflow(text, low, high):
    start, end = span(text)
    assert start < end or start == BEGINNING
    assert low in {None, start}
    assert high in {None, end}


@pytest.mark.parametrize(
    "text", ["", "soon", "26", "2026-1", "2026-13", "2026-02-30", "2026-05-01T", "2026-05-01T25:00:00Z",
             "2026-05-01T10:00:00+99:00", "2026-05-01 10:00:00Z", "２０２６", "0000"],
)  # fmt: skip
def test_what_is_not_a_date_is_no_date(text):
    with pytest.raises(ValueError):
        span(text)


def test_the_tables_cover_every_type():
    assert len(TYPES) == 146
    assert PARAMETERS.keys() == TYPES.keys()
    assert all("_tag" in parameters for parameters in PARAMETERS.values())
    assert {"patient", "subject"} == PATIENT_CODES["Observation"]
    assert {"patient", "beneficiary"} == PATIENT_CODES["Coverage"]
    assert PATIENT_CODES["Provenance"] == frozenset()  # may name several


def test_at_most_one_main_date_for_each_type():
    for parameters in PARAMETERS.values():
        assert sum(p.is_main_date for p in parameters.values()) <= 1


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the development data are not on this machine")
def test_a_plain_walk_finds_what_fhirpath_finds():
    for file in sorted(EXAMPLES.glob("*.ndjson.gz")):
        with gzip.open(file) as lines:
            # Without `_gender` and the like, which fhirpathpy shows as elements of their own.
            documents = [json.loads(line, object_hook=only_elements) for line in lines][:20]
        for parameter in PARAMETERS[documents[0]["resourceType"]].values():
            if "resolve()" in parameter.expression:
                continue  # which fhirpathpy does not have
            walk, whole = compile_path(parameter.expression), whole_fhirpath(parameter.expression)
            for document in documents:
                # A union has no doubles in FHIRPath; the index, being a set, needs no such care.
                assert distinct(walk(document)) == distinct(whole(document, None)), parameter


def only_elements(found):
    return {name: value for name, value in found.items() if not name.startswith("_")}


def distinct(nodes):
    return len({json.dumps(node, default=str) for node in nodes})


def whole_fhirpath(expression):
    """In fhirpathpy. `as` is for one element there, and `ofType` the same for several."""
    of_type = re.sub(r"([\w.()='/:-]+) as (\w+)", r"\1.ofType(\2)", expression)
    return fhirpathpy.compile(of_type, model=models["r4"])


def test_several_patients_are_all_in_the_index_and_none_is_the_patient():
    target = [{"reference": "Patient/alice"}, {"reference": "Patient/bob"}]
    found = index({"resourceType": "Provenance", "id": "p", "target": target})
    assert found.patient is None
    assert index({"resourceType": "Provenance", "id": "p", "target": target[:1]}).patient == "alice"


def test_a_range_and_a_period_without_an_end_are_open():
    found = index(
        {
            "resourceType": "Condition", "id": "c", "onsetRange": {"low": {"value": 40, "unit": "a"}},
            "abatementPeriod": {"start": "2026-01-01T00:00:00Z"},
        }
    )  # fmt: skip
    assert [row[1:3] for row in found.quantities] == [(40.0, float("inf"))]
    assert [row[2] for row in found.dates] == [END]
