"""Rows of the list pages: what is current, what is past, what does not stand."""

from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import rows
from portal.next_action import Action, Rule, in_order
from portal.observations import read_all
from portal.series import grouped, newest_of_each, series
from tests.examples import examples
from tests.portal.test_observations import JSON, ldl

NOW = datetime(2026, 3, 2, tzinfo=UTC)
READERS = [
    *(rows.medicine, rows.allergy, rows.condition, rows.vaccine, rows.visit, rows.document),
    partial(rows.appointment, now=NOW),
]
FIELDS = [
    *(
        "id",
        "status",
        "code",
        "medicationCodeableConcept",
        "medicationReference",
        "dosageInstruction",
        "contained",
    ),
    *(
        "clinicalStatus",
        "verificationStatus",
        "reaction",
        "onsetDateTime",
        "onsetPeriod",
        "abatementDateTime",
    ),
    *(
        "vaccineCode",
        "occurrenceDateTime",
        "performer",
        "period",
        "class",
        "reasonCode",
        "participant",
        "start",
    ),
    *("content", "date", "type", "author", "context", "recordedDate", "recorder", "description"),
]


@pytest.mark.parametrize("reader", READERS)
def test_no_record_breaks_a_reader(reader):
    @examples(150)
    @given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON)
    def check(resource):
        assert all(isinstance(line, str) for row in rows.rows_of([resource], reader) for line in row.details)

    check()


@pytest.mark.parametrize(
    ("status", "is_current"), [("active", True), ("on-hold", True), ("stopped", False), ("completed", False)]
)
def test_medicine_is_current_by_its_status(status, is_current):
    row = rows.medicine({"status": status, "medicationCodeableConcept": {"text": "Metformin 500 mg"}})

    assert row.is_current is is_current


@pytest.mark.parametrize("status", ["entered-in-error", "draft"])
def test_medicine_that_does_not_stand_is_not_shown(status):
    assert rows.medicine({"status": status}) is None


def test_medicine_is_named_by_what_it_contains():
    contained = {"id": "m", "code": {"text": "Lisinopril 10 mg"}}
    row = rows.medicine({"contained": [contained], "medicationReference": {"reference": "#m"}})

    assert row.name == "Lisinopril 10 mg"


def test_snomed_tag_is_not_shown_and_other_brackets_stay():
    named = [rows.condition({"code": {"text": text}}).name for text in ("Stress (finding)", "Cough (dry)")]

    assert named == ["Stress", "Cough (dry)"]


def test_refuted_condition_is_not_shown():
    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}, "code": {"text": "Asthma"}}

    assert rows.condition(refuted) is None


def test_condition_that_ended_is_past():
    row = rows.condition({"code": {"text": "Cough"}, "abatementDateTime": "2025"})

    assert not row.is_current


def test_appointment_is_coming_up_until_it_starts():
    coming = rows.appointment({"status": "booked", "start": "2026-03-02T10:00:00Z"}, now=NOW)
    past = rows.appointment({"status": "booked", "start": "2026-03-01T10:00:00Z"}, now=NOW)
    off = rows.appointment({"status": "cancelled", "start": "2026-03-02T10:00:00Z"}, now=NOW)

    assert [coming.is_current, past.is_current, off.is_current] == [True, False, False]


def action(rule: Rule, day: int) -> Action:
    return Action(rule=rule, at=datetime(2026, 3, day, tzinfo=UTC), heading="", text="", url="", link="")


def test_what_is_urgent_comes_first_and_the_newest_of_results():
    outside = action(Rule.OUTSIDE, 1)
    later, sooner = action(Rule.NEW_RESULT, 9), action(Rule.NEW_RESULT, 8)
    visit, file, safety = action(Rule.VISIT, 1), action(Rule.DEADLINE, 5), action(Rule.SAFETY, 30)

    ordered = in_order([visit, sooner, file, later, safety, outside])

    assert ordered == [safety, outside, file, later, sooner, visit]


def test_rules_go_in_the_order_of_the_brief():
    names = [rule.name for rule in sorted(Rule)]

    assert names == ["SAFETY", "OUTSIDE", "DEADLINE", "DRAFT", "NEW_RESULT", "VISIT"]


def test_results_stand_under_their_report_or_their_day():
    alone = {**ldl, "id": "alone", "effectiveDateTime": "2025-06-13"}
    report = {
        "id": "lipids",
        "status": "final",
        "effectiveDateTime": "2025-06-12",
        "result": [{"reference": "Observation/ldl-1"}, {"reference": "Observation/withheld"}],
    }

    groups = grouped([report], read_all([ldl, alone]))

    assert [(group.id, [r.id for r in group.results]) for group in groups] == [
        ("", ["alone"]),
        ("lipids", ["ldl-1"]),
    ]


def test_report_without_a_shown_result_is_not_shown():
    assert grouped([{"id": "empty", "status": "final"}], []) == []


def test_part_of_a_panel_takes_its_date():
    panel = {
        "id": "bp",
        "status": "final",
        "code": {"coding": [{"code": "85354-9"}]},
        "effectiveDateTime": "2026-03-01",
        "component": [{"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 128}}],
    }

    part = series(read_all([panel]), "8480-6")[0]

    assert (part.id, part.when.precision, part.value_text) == ("bp", "day", "128")


def test_newest_of_each_keeps_one_of_a_code():
    older = {**ldl, "id": "older", "effectiveDateTime": "2020"}

    assert [result.id for result in newest_of_each(read_all([older, ldl]))] == ["ldl-1"]
