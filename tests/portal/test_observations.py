"""Reading Observations: the lab's word first, and never an exception."""

from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from fhirproxy import reading as fhir
from portal import observations
from portal.lab_words import sentences
from portal.observations import Progress, Range, Standing
from tests.examples import examples

ldl = {
    "resourceType": "Observation",
    "id": "ldl-1",
    "status": "final",
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "13457-7", "display": "LDL, calculated"}],
        "text": "LDL chol calc",
    },
    "effectiveDateTime": "2025-06-12T09:30:00-04:00",
    "valueQuantity": {"value": 118, "unit": "mg/dL"},
    "referenceRange": [{"high": {"value": 100, "unit": "mg/dL"}}],
    "performer": [{"reference": "Organization/1", "display": "Riverside Lab"}],
}


def reading(**changes: object) -> observations.Result:
    return observations.read({**ldl, **changes})


def mark(code: str) -> list[dict]:
    return [{"coding": [{"code": code}]}]


def test_plain_result_is_read_whole():
    result = reading()

    assert str(result.name) == "LDL cholesterol"
    assert (result.value, result.value_text, result.unit) == (Decimal(118), "118 mg/dL", "mg/dL")
    assert result.range == Range(high=Decimal(100))
    assert result.standing == Standing.HIGH
    assert result.progress == Progress.FINAL
    assert result.source == "Riverside Lab"
    assert result.is_drawable


def test_digits_stay_as_the_lab_sent_them():
    assert reading(valueQuantity={"value": Decimal("4.10"), "unit": "mmol/L"}).value_text == "4.10 mmol/L"


def test_lab_mark_wins_over_its_range_and_the_picture_goes():
    result = reading(interpretation=mark("N"))

    assert result.standing == Standing.IN
    assert result.lab_disagrees
    assert not result.is_drawable


@pytest.mark.parametrize(
    ("code", "standing", "urgent"),
    [
        ("L", "low", False),
        ("LL", "low", True),
        ("H", "high", False),
        ("HH", "high", True),
        ("N", "in", False),
    ],
)
def test_lab_mark_is_read(code, standing, urgent):
    result = reading(interpretation=mark(code), referenceRange=[])

    assert (result.standing, result.is_urgent) == (standing, urgent)


def test_abnormal_text_is_flagged_without_a_side():
    result = reading(
        valueQuantity=None,
        valueCodeableConcept={"text": "Positive"},
        interpretation=mark("A"),
        referenceRange=[],
    )

    assert (result.standing, result.is_flagged) == (Standing.UNKNOWN, True)
    assert "The lab marked it" in sentences(result)[0]


def test_less_than_is_words_only():
    result = reading(valueQuantity={"value": 5, "comparator": "<", "unit": "mg/dL"})

    assert (result.value, result.value_text, result.is_drawable) == (None, "<5 mg/dL", False)
    assert result.standing == Standing.UNKNOWN


def test_conflicting_ranges_draw_nothing_and_are_both_said():
    result = reading(
        referenceRange=[
            {"high": {"value": 100}, "appliesTo": [{"text": "women"}]},
            {"high": {"value": 130}, "text": "130 or less for men"},
        ]
    )

    assert result.range is None
    assert result.range_text == "≤ 100; 130 or less for men"


def test_range_in_another_unit_is_not_used():
    assert reading(referenceRange=[{"high": {"value": 2.6, "unit": "mmol/L"}}]).range is None


def test_goal_is_not_the_usual_range():
    goal = {"high": {"value": 70}, "type": {"coding": [{"code": "treatment"}], "text": "Treatment goal"}}
    result = reading(referenceRange=[goal, *ldl["referenceRange"]])

    assert result.range == Range(high=Decimal(100))
    assert [one.kind for one in result.goals] == ["Treatment goal"]


def test_unknown_code_keeps_the_lab_name():
    result = reading(code={"coding": [{"code": "X1"}], "text": "House test"})

    assert (result.plain, result.name, result.code) == (None, "House test", "X1")


def test_blood_pressure_has_two_parts():
    def part(code: str, value: int) -> dict:
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "code": "mm[Hg]"},
        }

    result = reading(valueQuantity=None, component=[part("8480-6", 128), part("8462-4", 82)])

    assert [p.value_text for p in result.parts] == ["128 mmHg", "82 mmHg"]


def test_lower_number_sent_first_is_still_said_second():
    def part(code: str, value: int) -> dict:
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "code": "mm[Hg]"},
        }

    result = reading(valueQuantity=None, component=[part("8462-4", 82), part("8480-6", 128)])

    assert result.shown == "128 / 82 mmHg"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("10.212459271159428", "10.2"),
        ("0.00412345", "0.00412"),
        ("118.98765", "119.0"),
        ("4.10", "4.10"),
        ("0.125", "0.125"),
        ("92", "92"),
    ],
)
def test_long_decimals_are_cut_for_show_and_kept_in_the_details(sent, shown):
    result = reading(valueQuantity={"value": Decimal(sent), "unit": "mg/dL"})

    assert (result.value_text, result.exact_text) == (f"{shown} mg/dL", f"{sent} mg/dL")


@pytest.mark.parametrize(("language", "shown"), [("en", "37.2 °C (99.0 °F)"), ("es", "37.2 °C")])
def test_temperature_is_told_in_the_units_of_the_reader(language, shown):
    with translation.override(language):
        result = reading(valueQuantity={"value": Decimal("37.2"), "code": "Cel"})

    assert result.value_text == shown


def test_part_that_is_urgent_makes_the_whole_urgent():
    result = reading(component=[{"code": {"text": "Part"}, "interpretation": mark("HH")}])

    assert result.is_urgent


def test_withdrawn_results_are_not_listed_and_newest_comes_first():
    older = {**ldl, "id": "old", "effectiveDateTime": "2024"}
    undated = {**ldl, "id": "undated", "effectiveDateTime": None}
    wrong = {**ldl, "id": "wrong", "status": "entered-in-error"}

    listed = observations.read_all([older, undated, wrong, ldl])

    assert [result.id for result in listed] == ["ldl-1", "old", "undated"]


@pytest.mark.parametrize(
    ("text", "precision"),
    [("2024", "year"), ("2024-02", "month"), ("2024-02-29", "day"), ("2023-02-29", None)],
)
def test_partial_dates_keep_their_precision(text, precision):
    found = fhir.moment(text)

    assert (found.precision if found else None) == precision


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *(
        "id",
        "status",
        "code",
        "effectiveDateTime",
        "effectivePeriod",
        "issued",
        "valueQuantity",
        "valueString",
    ),
    *("valueInteger", "valueRange", "valueRatio", "valueCodeableConcept", "referenceRange", "interpretation"),
    *(
        "performer",
        "method",
        "note",
        "component",
        "dataAbsentReason",
        "value",
        "low",
        "high",
        "unit",
        "coding",
    ),
]
BROKEN = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6) | st.lists(inner, max_size=2),
    max_leaves=20,
)


@examples(1000)
@given(BROKEN)
def test_no_record_breaks_the_reader(resource):
    result = observations.read(resource)

    assert isinstance(result.value_text, str)
    assert all(isinstance(sentence, str) for sentence in sentences(result))


@examples(500)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_change_to_a_good_record_breaks_the_reader(changes):
    result = reading(**changes)

    assert not (result.is_drawable and result.value is None)
