"""Base, chart and proposal side by side: nothing clinical is merged by a machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirproxy.writes import differences, kinds
from fhirproxy.writes.differences import Side
from fhirproxy.writes.kinds import OnConflict

MEDICINE, CONTACT, ORDER, READING = (
    kinds.kinds()[code] for code in ("medicines-taken", "contact", "orders", "vital-signs")
)
BASE = {
    "resourceType": "X",
    "id": "1",
    "status": "active",
    "note": [{"text": "a"}],
    "address": [{"city": "A"}],
}


def resolve(base, now, proposed, kind, **choices):
    return differences.resolved(now, differences.between(base, now, proposed, kind), choices)


# What they changed, what we changed, by which table, and what comes of it; None: a person decides.
GOLDEN = [
    ("nobody changed anything", {}, {}, MEDICINE, {}),
    ("only they", {"status": "stopped"}, {}, MEDICINE, {"status": "stopped"}),
    ("only we", {}, {"status": "stopped"}, MEDICINE, {"status": "stopped"}),
    ("both, the same", {"status": "stopped"}, {"status": "stopped"}, MEDICINE, {"status": "stopped"}),
    ("both, a medicine", {"status": "stopped"}, {"status": "on-hold"}, MEDICINE, None),
    (
        "different parts",
        {"dosage": [{}]},
        {"status": "stopped"},
        MEDICINE,
        {"dosage": [{}], "status": "stopped"},
    ),
    (
        "two notes",
        {"note": [{"text": "a"}, {"text": "b"}]},
        {"note": [{"text": "a"}, {"text": "c"}]},
        MEDICINE,
        {"note": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
    ),
    ("a note taken out", {"note": [{"text": "a"}, {"text": "b"}]}, {"note": []}, MEDICINE, None),
    (
        "the last address",
        {"address": [{"city": "B"}]},
        {"address": [{"city": "C"}]},
        CONTACT,
        {"address": [{"city": "C"}]},
    ),
    ("a name", {"name": [{"family": "P"}]}, {"name": [{"family": "Q"}]}, CONTACT, None),
    ("a birth date", {}, {"birthDate": "1980-01-01"}, CONTACT, None),
    ("an order, alone", {}, {"status": "stopped"}, ORDER, {"status": "stopped"}),
    ("an order that moved elsewhere", {"note": [{"text": "b"}]}, {"status": "stopped"}, ORDER, None),
    (
        "a series",
        {"derivedFrom": [{"reference": "Observation/2"}]},
        {"derivedFrom": [{"reference": "Observation/3"}]},
        READING,
        {"derivedFrom": [{"reference": "Observation/2"}, {"reference": "Observation/3"}]},
    ),
    ("a value", {"valueQuantity": {"value": 1}}, {"valueQuantity": {"value": 2}}, READING, None),
]


@pytest.mark.parametrize(
    ("theirs", "ours", "kind", "result"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN]
)
def test_three_ways(theirs, ours, kind, result):
    assert resolve(BASE, BASE | theirs, BASE | ours, kind) == (None if result is None else BASE | result)


def test_a_person_chooses_a_side_for_a_group():
    now, proposed = BASE | {"status": "stopped"}, BASE | {"status": "on-hold"}

    assert resolve(BASE, now, proposed, MEDICINE, status="ours") == proposed
    assert resolve(BASE, now, proposed, MEDICINE, status="theirs") == now


def test_nobody_chooses_what_may_never_be_changed():
    proposed = BASE | {"subject": {"reference": "Patient/other"}}

    assert resolve(BASE, BASE, proposed, MEDICINE, subject="ours") is None
    assert resolve(BASE, BASE, proposed, MEDICINE, subject="theirs") == BASE


def test_a_group_is_one_and_says_how_much_it_matters():
    proposed = BASE | {"valueQuantity": {"value": 2}, "effectiveDateTime": "2026"}

    (found,) = differences.between(BASE, BASE, proposed, READING)

    assert (found.name, found.side, found.group.matters) == ("value", Side.OURS, "high")


ELEMENTS = st.sampled_from(
    ["status", "note", "dosage", "subject", "address", "telecom", "code", "derivedFrom", "_status"]
)
VALUES = st.one_of(st.text(max_size=2), st.lists(st.integers(0, 3), max_size=3))
RESOURCES = st.dictionaries(ELEMENTS, VALUES, max_size=5)
KINDS = st.sampled_from([*kinds.kinds().values(), None])


@given(base=RESOURCES, now=RESOURCES, proposed=RESOURCES, kind=KINDS)
def test_what_comes_of_it_has_each_group_from_a_side_that_changed_it(base, now, proposed, kind):
    found = differences.between(base, now, proposed, kind)
    result = differences.resolved(now, found)
    if result is None:
        return
    for difference in found:
        policy = difference.group.policy
        mine = {name: result[name] for name in difference.group.elements if name in result}
        if difference.side is Side.OURS:
            assert mine == difference.proposed
            assert policy is not OnConflict.NEVER
        elif difference.side in (Side.THEIRS, Side.SAME):
            assert mine == difference.now
        else:  # a person would have decided
            assert policy not in (OnConflict.CLINICIAN, OnConflict.EXACT, OnConflict.NEVER)
            if policy is OnConflict.LAST_WRITER:
                assert mine == difference.proposed
    touched = {name for d in found for name in d.group.elements}
    assert {k: v for k, v in result.items() if k not in touched} == {
        k: v for k, v in now.items() if k not in touched
    }


@given(base=RESOURCES, other=RESOURCES, kind=KINDS)
def test_without_a_second_side_there_is_nothing_to_decide(base, other, kind):
    assert resolve(base, other, base, kind) == other
    theirs_alone = resolve(base, base, other, kind)
    assert theirs_alone in (other, None)  # None: it may never be changed


@given(base=RESOURCES, now=RESOURCES, proposed=RESOURCES, kind=KINDS)
def test_done_again_nothing_more_comes_of_it(base, now, proposed, kind):
    """A change that was taken up to the chart meets no further conflict there."""
    result = resolve(base, now, proposed, kind)
    if result is not None:
        assert resolve(now, now, result, kind) in (result, None)
