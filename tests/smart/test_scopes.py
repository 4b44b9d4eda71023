"""SMART scopes as values: the grammar, what each allows, and that they only ever narrow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart.resource_types import R4
from smart.scopes import LETTER_OF, Scope, UnknownScope, is_within, requestable

LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
VITAL = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
OBSERVATIONS = Scope("patient", "Observation", "rs")

permissions = st.sets(st.sampled_from("cruds"), min_size=1).map(
    lambda letters: "".join(letter for letter in "cruds" if letter in letters)
)
params = st.lists(st.sampled_from([LAB, VITAL, "laboratory", f"{LAB},{VITAL}"]), max_size=2, unique=True).map(
    lambda values: tuple(sorted(("category", value) for value in values))
)
scopes = st.builds(
    Scope,
    st.sampled_from(["patient", "user"]),
    st.sampled_from(["*", "Observation", "Patient"]),
    permissions,
    params,
)
accesses = st.tuples(
    st.sampled_from([*LETTER_OF, "transaction"]),
    st.sampled_from(["Observation", "Patient", "Condition"]),
    st.sets(st.sampled_from([LAB, VITAL])),
)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("patient/Observation.rs", OBSERVATIONS),
        ("patient/Observation.read", OBSERVATIONS),
        ("patient/Observation.write", Scope("patient", "Observation", "cud")),
        ("patient/*.*", Scope("patient", "*", "cruds")),
        ("user/Patient.r", Scope("user", "Patient", "r")),
        ("system/*.rs", Scope("system", "*", "rs")),
        (
            f"patient/Observation.rs?category={LAB}",
            Scope("patient", "Observation", "rs", (("category", LAB),)),
        ),
    ],
)
def test_parse(text, scope):
    assert Scope.parse(text) == scope


@pytest.mark.parametrize(
    "text",
    [
        "",
        "openid",
        "patient/Observation",
        "patient/Observation.",
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.rs.read",
        "patient/Observation.readwrite",
        "patient/observation.rs",
        "patient/Nonsense.rs",
        "Patient/Observation.rs",
        "patient/Observation.rs ",
        "patient/Observation.rs\n",
        "patient/**.rs",
        "patient/Observation.rs?",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?category=,",
        "patient/Observation.rs?category=a,",
        "patient/Observation.rs?category=|",
        "patient/Observation.rs?code=http://loinc.org|4548-4",
        f"patient/Observation.rs?category={LAB}&status=final",
        "patient/Observation.rs?category:not=laboratory",
    ],
)
def test_A6_what_is_not_exactly_a_scope_is_unknown(text):
    with pytest.raises(UnknownScope):
        Scope.parse(text)


@given(scopes)
def test_text_of_a_scope_reads_back_as_the_same(scope):
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize("resource_type", sorted(R4))
def test_every_type_of_R4_can_be_named(resource_type):
    assert Scope.parse(f"patient/{resource_type}.rs").allows("read", resource_type, None)


@pytest.mark.parametrize(
    ("text", "interaction", "resource_type", "codings", "allowed"),
    [
        ("patient/Observation.rs", "read", "Observation", {LAB}, True),
        ("patient/Observation.rs", "search-type", "Observation", None, True),
        ("patient/Observation.rs", "create", "Observation", None, False),
        ("patient/Observation.rs", "read", "Patient", set(), False),
        ("patient/Observation.r", "search-type", "Observation", None, False),
        ("patient/Observation.s", "read", "Observation", None, False),
        ("patient/*.rs", "vread", "Condition", set(), True),
        ("patient/*.cud", "read", "Condition", set(), False),
        ("patient/Observation.cruds", "patch", "Observation", None, True),
        ("patient/*.*", "transaction", "Bundle", None, False),
        ("patient/*.*", "operation", "Patient", None, False),
        (f"patient/Observation.rs?category={LAB}", "read", "Observation", {LAB}, True),
        (f"patient/Observation.rs?category={LAB}", "read", "Observation", {VITAL}, False),
        (f"patient/Observation.rs?category={LAB}", "read", "Observation", {VITAL, LAB}, True),
        (f"patient/Observation.rs?category={LAB}", "read", "Observation", set(), False),
        (f"patient/Observation.rs?category={LAB}", "search-type", "Observation", None, True),
        (f"patient/Observation.rs?category={LAB},{VITAL}", "read", "Observation", {VITAL}, True),
        ("patient/Observation.rs?category=laboratory", "read", "Observation", {LAB}, True),
        ("patient/Observation.rs?category=|laboratory", "read", "Observation", {LAB}, False),
        ("patient/Observation.rs?category=http://other|laboratory", "read", "Observation", {LAB}, False),
    ],
)
def test_allows(text, interaction, resource_type, codings, allowed):
    assert Scope.parse(text).allows(interaction, resource_type, codings) is allowed


@given(scopes, scopes, accesses)
def test_an_intersection_allows_what_both_allow(one, other, access):
    both = one.intersect(other)
    expected = one.level == other.level and one.allows(*access) and other.allows(*access)

    assert (both is not None and both.allows(*access)) is expected


@given(scopes, scopes, accesses)
def test_what_is_covered_allows_no_more(one, other, access):
    if one.covers(other) and other.allows(*access):
        assert one.allows(*access)


@pytest.mark.parametrize(
    ("asked", "most", "kept"),
    [
        ("patient/Observation.rs openid", "", "patient/Observation.rs openid"),
        ("patient/Observation.read", "", "patient/Observation.read"),
        ("patient/Observation.rs user/Patient.rs system/*.rs", "", "patient/Observation.rs user/Patient.rs"),
        ("user/Observation.rs", "patient/Observation.rs", ""),
        ("patient/Observation.rs", "patient/Observation.r patient/Observation.s", "patient/Observation.rs"),
        ("patient/Nonsense.rs whatever patient/Observation.rs", "", "patient/Observation.rs"),
        ("online_access launch launch/encounter", "", "online_access launch launch/encounter"),
        ("launch/imagingstudy patient/Observation.rs", "", "patient/Observation.rs"),
        (
            "patient/*.rs",
            "patient/Observation.rs patient/Patient.r",
            "patient/Observation.rs patient/Patient.r",
        ),
        ("patient/Observation.cruds", "patient/Observation.rs", "patient/Observation.rs"),
        (
            "patient/Observation.rs openid offline_access",
            "patient/*.rs openid",
            "patient/Observation.rs openid",
        ),
        ("patient/Condition.rs", "patient/Observation.rs", ""),
        ("patient/Observation.rs patient/Observation.rs", "", "patient/Observation.rs"),
    ],
)
def test_A6_only_the_known_and_registered_part_can_be_asked_for(asked, most, kept):
    assert requestable(asked.split(), most=most) == kept.split()


@pytest.mark.parametrize(
    ("asked", "within"),
    [
        ("patient/Observation.rs", True),
        ("patient/Observation.r openid", True),
        (f"patient/Observation.rs?category={LAB}", True),
        ("patient/Observation.read", True),
        ("patient/Observation.cruds", False),
        ("patient/*.rs", False),
        ("patient/Patient.rs", False),
        ("offline_access", False),
        ("nonsense", False),
    ],
)
def test_A6_a_refresh_narrows_and_never_widens(asked, within):
    assert is_within(asked.split(), ["openid", "patient/Observation.rs"]) is within
