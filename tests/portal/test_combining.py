"""Lists of several EHRs as one: nothing is dropped, and only what is known to be the same is one."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import trends
from portal.combining import Item, Origin, combine, parts
from portal.combining.units import TABLE, factor
from portal.observations import read_all
from tests.examples import examples

CLINIC = Origin("clinic", "Clinic", True)
LAKESIDE = Origin("lakeside", "Lakeside", False)
HILL = Origin("hill", "Hill", False)
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM, CVX = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/cvx"

RASH, SWELLING = [{"manifestation": [{"text": "Rash"}]}], [{"manifestation": [{"text": "Swelling"}]}]


def coded(system: str, code: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], "text": text}


def lab(id: str = "1", **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": coded(LOINC, "13457-7"),
        "effectiveDateTime": "2026-03-02T08:20:00-05:00",
        "valueQuantity": {"value": Decimal("118"), "unit": "mg/dL", "code": "mg/dL"},
        **elements,
    }


def medicine(**elements: Any) -> dict[str, Any]:
    base = {"resourceType": "MedicationRequest", "id": "1", "status": "active"}
    return base | {"medicationCodeableConcept": coded(RXNORM, "860975", "Metformin")} | elements


def allergy(**elements: Any) -> dict[str, Any]:
    status = coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active")
    base = {"resourceType": "AllergyIntolerance", "id": "1", "clinicalStatus": status}
    return base | {"code": coded(SNOMED, "764146007", "Penicillin")} | elements


def vaccine(**elements: Any) -> dict[str, Any]:
    base = {"resourceType": "Immunization", "id": "1", "status": "completed"}
    return base | {"vaccineCode": coded(CVX, "140"), "occurrenceDateTime": "2025-10-14"} | elements


def condition(**elements: Any) -> dict[str, Any]:
    base = {"resourceType": "Condition", "id": "1", "code": coded(SNOMED, "44054006")}
    return base | {"onsetDateTime": "2023-03-20"} | elements


def number(system: str = "urn:lab", value: str = "A-1") -> list[dict[str, str]]:
    return [{"system": system, "value": value}]


def groups(one: dict[str, Any], other: dict[str, Any]) -> int:
    return len(combine([Item(one, CLINIC), Item(other, LAKESIDE)]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lab(), lab(effectiveDateTime="2026-03-02T13:20:00Z")),
        (lab(), lab(effectiveDateTime="2026-03-02")),
        (lab(), lab(valueQuantity={"value": Decimal("118.0"), "unit": "mg/dL", "code": "mg/dL"})),
        (lab(identifier=number()), lab(identifier=number(), effectiveDateTime="2026-03-02")),
        (medicine(), medicine(authoredOn="2026-01-01")),
        (medicine(dosageInstruction=[{"text": "1 a day"}]), medicine()),
        (allergy(), allergy(code=coded(SNOMED, "764146007", "PENICILLINS"))),
        (vaccine(), vaccine(occurrenceDateTime="2025-10-14T09:00:00-04:00")),
        (condition(), condition()),
    ],
)
def test_same_thing_is_shown_once(one, other):
    [shown] = combine([Item(one, CLINIC), Item(other, LAKESIDE)])

    assert len(shown.all) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lab(), lab(valueQuantity={"value": Decimal("119"), "unit": "mg/dL", "code": "mg/dL"})),
        (lab(), lab(valueQuantity={"value": Decimal("118"), "unit": "g/L", "code": "g/L"})),
        (lab(), lab(status="preliminary")),
        (lab(), lab(status="corrected")),
        (lab(), lab(effectiveDateTime="2026-03-02T09:20:00-05:00")),
        (lab(), lab(code=coded(LOINC, "2085-9"))),
        (lab(code={"text": "LDL"}), lab(code={"text": "LDL"})),
        (lab(code=coded("urn:own", "1")), lab(code=coded("urn:own", "1"))),
        (lab(status="entered-in-error"), lab(status="entered-in-error")),
        (lab(status="entered-in-error", identifier=number()), lab(identifier=number())),
        (lab(valueQuantity=None), lab(valueQuantity=None)),
        # an order's number stands on each of its results
        (lab(identifier=number()), lab(identifier=number(), code=coded(LOINC, "2085-9"))),
        (lab(identifier=number(system="")), lab(identifier=number(system=""), effectiveDateTime="")),
        (medicine(), medicine(status="stopped")),
        (
            medicine(dosageInstruction=[{"text": "1 a day"}]),
            medicine(dosageInstruction=[{"text": "2 a day"}]),
        ),
        (medicine(), medicine(medicationCodeableConcept={"text": "Metformin"})),
        (allergy(criticality="high"), allergy(criticality="low")),
        (allergy(reaction=RASH), allergy(reaction=SWELLING)),
        (vaccine(), vaccine(occurrenceDateTime="2025-10-15")),
        (vaccine(), vaccine(status="not-done")),
        (condition(), condition(onsetDateTime="2024-03-20")),
        (condition(onsetDateTime=""), condition(onsetDateTime="")),
    ],
)
def test_what_may_differ_is_shown_apart(one, other):
    assert groups(one, other) == 2


def test_one_ehr_is_never_put_together_with_itself():
    assert len(combine([Item(lab("1"), CLINIC), Item(lab("2"), CLINIC)])) == 2
    shown = combine([Item(lab("1"), CLINIC), Item(lab("2"), CLINIC), Item(lab("9"), LAKESIDE)])
    assert sorted(len(each.all) for each in shown) == [1, 2]


def test_item_that_says_most_stands_in_front():
    spoken = medicine(dosageInstruction=[{"text": "1 a day"}])
    [shown] = combine([Item(medicine(), CLINIC), Item(spoken, LAKESIDE)])

    assert shown.item.origin == LAKESIDE
    assert shown.seen_from("1").item.origin == CLINIC


def test_address_is_taken_apart_as_it_was_made():
    assert parts(LAKESIDE.address("a-1")) == ("lakeside", "a-1")
    assert parts(CLINIC.address("a-1")) == ("", "a-1")


ORIGINS = st.sampled_from([CLINIC, LAKESIDE, HILL])
STATUSES = st.sampled_from(["final", "preliminary", "entered-in-error", "", "active"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    """Alike enough to meet, and sometimes nonsense."""
    made = draw(st.sampled_from([lab, medicine, allergy, vaccine, condition]))()
    made["id"] = draw(st.sampled_from("abcdefgh"))
    made |= draw(st.fixed_dictionaries({}, optional={"status": STATUSES, "note": JSON, "identifier": JSON}))
    if draw(st.booleans()):
        made["identifier"] = number(value=draw(st.sampled_from("xy")))
    if made["resourceType"] == "Observation":
        made["valueQuantity"] = {"value": Decimal(draw(st.integers(1, 2))), "unit": "mg/dL"}
    return made


ITEMS = st.lists(st.builds(Item, resources(), ORIGINS), max_size=12)


def as_sets(shown: Any) -> set[frozenset[int]]:
    return {frozenset(id(item.resource) for item in each.all) for each in shown}


@examples(300)
@given(ITEMS)
def test_every_item_is_in_exactly_one_group(items):
    found = [id(item.resource) for each in combine(items) for item in each.all]

    assert sorted(found) == sorted(id(item.resource) for item in items)


@examples(300)
@given(ITEMS, st.randoms(use_true_random=False))
def test_order_of_ehrs_does_not_matter(items, random: Random):
    by_address = {(i.origin.slug, i.address, i.resource["resourceType"]): i for i in items}  # ids are unique
    items = list(by_address.values())
    mixed = random.sample(items, len(items))

    assert as_sets(combine(mixed)) == as_sets(combine(items))


@examples(300)
@given(ITEMS)
def test_combining_what_was_combined_changes_nothing(items):
    by_address = {(i.origin.slug, i.address, i.resource["resourceType"]): i for i in items}
    once = combine(by_address.values())

    assert as_sets(combine([item for each in once for item in each.all])) == as_sets(once)


@examples(300)
@given(ITEMS)
def test_no_group_has_two_of_one_ehr_or_two_that_disagree(items):
    for each in combine(items):
        assert len({item.origin.slug for item in each.all}) == len(each.all)
        assert len({item.resource.get("status") or "" for item in each.all}) == 1


@pytest.mark.parametrize("unit", TABLE)
def test_unit_converts_there_and_back_where_both_ways_are_exact(unit):
    for other in TABLE:
        there, back = factor(unit, other), factor(other, unit)
        assert not (there and back) or there * back == 1


@pytest.mark.parametrize(
    ("unit", "into", "times"),
    [
        ("g/L", "mg/dL", "100"),
        ("10*3/uL", "10*9/L", "1"),
        ("[lb_av]", "kg", "0.45359237"),
        ("mg/dL", "mmol/L", None),
        ("Cel", "[degF]", None),
        ("kg", "[lb_av]", None),
        ("odd", "odd", "1"),
        ("", "odd", None),
    ],
)
def test_units_are_converted_only_where_that_is_exact(unit, into, times):
    assert factor(unit, into) == (None if times is None else Decimal(times))


def measured(id: str, day: int, value: str, unit: str) -> dict[str, Any]:
    quantity = {"value": Decimal(value), "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"}
    return lab(id, effectiveDateTime=f"2026-03-0{day}", valueQuantity=quantity)


def test_trend_joins_exact_units_and_draws_others_apart():
    points = trends.points_of(
        read_all(
            [
                measured("1", 1, "1.2", "g/L"),
                measured("2", 2, "118", "mg/dL"),
                measured("3", 3, "3.1", "mmol/L"),
                measured("4", 4, "3.0", "mmol/L"),
                measured("5", 5, "115", "mg/dL"),
            ]
        )
    )

    joined = trends.trend(points, id="t", name="LDL")

    assert (joined.count, joined.other_units) == (3, 2)
    assert joined.first is not None
    assert joined.first.value == Decimal("120")
    assert [[p.unit for p in group] for group in trends.apart(points)] == [["mmol/L", "mmol/L"]]
