"""What a kick-off may ask for, as the standard has it (Bulk Data Access 2.0.0)."""

import json
from datetime import UTC, datetime

import pytest

from exports.bulk.kickoff import PROVENANCE, TYPES, Level, Preference, from_parameters, parse
from fhirproxy.outcomes import Refusal
from smart.scopes import Scope

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL = "system/*.rs"


def ask(*pairs, scope=ALL, level=Level.GROUP, **more):
    return parse(level, pairs, scopes=tuple(Scope.parse_all(scope)), now=NOW, **more)


def refused(*pairs, **more) -> str:
    with pytest.raises(Refusal) as error:
        ask(*pairs, **more)
    return f"{error.value.status} {error.value.diagnostics}"


def test_without_parameters_all_types_within_the_scopes_come():
    assert ask().types == TYPES
    assert ask(scope="system/Patient.rs system/Observation.read").types == ("Patient", "Observation")
    assert refused(scope="patient/*.rs") == "403 scope-not-granted"
    assert refused(scope="system/*.cud") == "403 scope-not-granted"


@pytest.mark.parametrize(
    "pairs",
    [[("_type", "Observation,Patient")], [("_type", "Patient"), ("_type", "Observation")]],
    ids=["commas", "repeated"],
)
def test_a_repeated_type_is_as_one_with_commas(pairs):
    assert ask(*pairs).types == ("Patient", "Observation")


@pytest.mark.parametrize("kind", ["Unicorn", "Binary", "StructureDefinition", "observation"])
def test_a_type_that_cannot_be_exported_is_refused_and_lenient_leaves_it_out(kind):
    assert refused(("_type", f"Patient,{kind}")) == f"400 _type: {kind} cannot be exported."
    asked = ask(("_type", f"Patient,{kind}"), lenient=True)
    assert (asked.types, asked.ignored) == (("Patient",), (f"_type: {kind} cannot be exported.",))
    assert refused(("_type", kind), lenient=True).startswith("400")


def test_a_type_that_the_scopes_miss_is_refused_by_name():
    assert refused(("_type", "Patient,Condition"), scope="system/Patient.rs") == (
        "403 scope-not-granted: Condition"
    )
    asked = ask(("_type", "Patient,Condition"), scope="system/Patient.rs", lenient=True)
    assert asked.types == ("Patient",)


@pytest.mark.parametrize(
    "value", ["application/fhir+ndjson", "application/ndjson", "ndjson", "application/fhir ndjson"]
)
def test_ndjson_has_three_names_and_nothing_else_is_served(value):
    assert ask(("_outputFormat", value)).types == TYPES
    assert refused(("_outputFormat", "text/csv")).startswith("400 _outputFormat")


def test_since_is_an_instant_that_has_been():
    asked = ask(("_since", "2026-11-22T08:00:00-05:00"), ("_until", "2026-11-23T00:00:00.5Z"))

    assert asked.since == datetime(2026, 11, 22, 13, tzinfo=UTC)
    assert asked.until == datetime(2026, 11, 23, 0, 0, 0, 500_000, tzinfo=UTC)
    assert ask(("_since", "2026-11-22T08:00:00 05:00")).since  # a plus sign that was not encoded


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize(
    "pairs",
    [
        [("_since", "2027-01-01T00:00:00Z")],
        [("_since", "2026-01-01")],
        [("_since", "yesterday")],
        [("_since", "2026-13-01T00:00:00Z")],
        [("_since", "2026-01-01T00:00:00")],
        [("_since", "2026-01-01T00:00:00Z"), ("_since", "2026-01-02T00:00:00Z")],
        [("_since", "2026-01-02T00:00:00Z"), ("_until", "2026-01-01T00:00:00Z")],
    ],
)
def test_a_time_that_cannot_be_meant_is_refused_of_a_lenient_client_too(pairs, lenient):
    assert refused(*pairs, lenient=lenient).startswith("400 _")


def test_a_type_filter_is_a_search_that_the_gate_would_serve():
    two = "Observation?category=laboratory,Condition?clinical-status=active"

    assert ask(("_typeFilter", two)).type_filters == tuple(two.split(","))
    assert ask(("_typeFilter", "Observation?code=a%2Cb")).type_filters == ("Observation?code=a%2Cb",)


@pytest.mark.parametrize(
    "text",
    [
        "Observation",
        "Unicorn?a=b",
        "Observation?favourite=yes",
        "Observation?patient=Patient/1",
        "Observation?_include=Observation:performer",
        "Observation?_count=2",
        "Patient?_id=1",
        "Provenance?target=Patient/1",
        "Observation?code",
    ],
)
def test_a_type_filter_that_is_none_is_refused_and_lenient_leaves_it_out(text):
    assert refused(("_typeFilter", text)).startswith("400 _typeFilter")
    asked = ask(("_typeFilter", text), lenient=True)
    assert (asked.type_filters, len(asked.ignored)) == ((), 1)


def test_elements_are_root_elements():
    assert ask(("_elements", "id,Observation.code")).elements == ("id", "Observation.code")
    for wrong in ("code.coding", "Observation.code.coding", "Unicorn.horn", "*"):
        assert refused(("_elements", wrong)).startswith("400 _elements")


def test_patients_are_for_a_post_that_is_not_of_the_system():
    pair = ("patient", "Patient/1,Patient/2")

    assert ask(pair, posted=True).patients == ("1", "2")
    for more in ({"posted": False}, {"posted": True, "level": Level.SYSTEM}):
        assert refused(pair, **more).startswith("400 patient")
        assert ask(pair, lenient=True, **more).patients == ()
    assert refused(("patient", "Patient/../1"), posted=True).startswith("400 patient")
    assert refused(("patient", ",".join(map(str, range(6000)))), posted=True).startswith("400 patient")


def test_provenance_comes_unless_types_leave_it_out_and_may_be_asked_for_beside_them():
    relevant = ("includeAssociatedData", "RelevantProvenanceResources")

    assert PROVENANCE in ask().types
    assert ask(("_type", "Patient")).types == ("Patient",)
    assert ask(("_type", "Patient"), relevant).types == ("Patient", PROVENANCE)
    assert refused(("_type", "Patient"), relevant, scope="system/Patient.rs") == (
        "403 scope-not-granted: Provenance"
    )
    both = ("includeAssociatedData", "LatestProvenanceResources,RelevantProvenanceResources")
    assert refused(both).startswith("400 includeAssociatedData")
    assert ask(("_type", "Patient"), both, lenient=True).types == ("Patient", PROVENANCE)  # the larger set


def test_an_unknown_parameter_is_refused_and_lenient_leaves_it_out():
    assert refused(("organizeOutputBy", "Patient")) == "400 The parameter organizeOutputBy is not supported."
    assert ask(("organizeOutputBy", "x"), lenient=True).ignored == (
        "The parameter organizeOutputBy is not supported.",
    )
    assert ask(("_format", "json")).ignored == ()


def test_what_is_said_back_of_a_callers_word_is_plain():
    assert refused(("<b>", "x")) == "400 The parameter ?b? is not supported."


@pytest.mark.parametrize(
    ("header", "asynchronous", "lenient"),
    [
        ("respond-async", True, False),
        ("respond-async, handling=lenient", True, True),
        ('respond-async; handling="lenient"', True, True),
        ("Respond-Async,handling=strict", True, False),
        ("", False, False),
    ],
)
def test_the_preferences_are_read(header, asynchronous, lenient):
    assert Preference.parse(header) == Preference(asynchronous, lenient)


def test_a_parameters_resource_says_the_same_as_a_query():
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_since", "valueInstant": "2026-01-01T00:00:00Z"},
            {"name": "_type", "valueString": "Patient"},
            {"name": "patient", "valueReference": {"reference": "Patient/1"}},
            {"name": "patient", "valueReference": {"reference": "Patient/2"}},
        ],
    }
    pairs = from_parameters(json.dumps(body).encode())

    assert ask(*pairs, posted=True).patients == ("1", "2")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"resourceType": "Bundle"}',
        b'{"resourceType": "Parameters", "parameter": {}}',
        b'{"resourceType": "Parameters", "parameter": [{"name": "_type"}]}',
        b'{"resourceType": "Parameters", "parameter": [{"valueString": "x"}]}',
        b'{"resourceType": "Parameters", "parameter": [{"name": "_type", "valueString": 7}]}',
        b'{"resourceType": "Parameters", "parameter": ["x"]}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_parameters_resource_is_refused(body):
    with pytest.raises(Refusal) as error:
        from_parameters(body)
    assert error.value.status == 400
