"""The pure part: a window, a baseline, and whether it is odd."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from compliance.monitoring import detectors
from compliance.monitoring.actions import Act
from compliance.monitoring.baselines import MEMORY, Baseline, hour_of_week
from compliance.monitoring.detectors import Against, How, Window, judge, limit_of, table, tuning_of
from compliance.monitoring.measures import BY_HOUR, LEARNED, Measure

MONDAY_NOON = datetime(2026, 6, 1, 16, tzinfo=UTC)  # 12:00 in New York
VOLUME = table()["export-volume"]
HOURS = table()["off-hours"]


def usual(count=300, windows=10, at=MONDAY_NOON):
    known = Baseline()
    for day in range(windows):
        known = known.learn(at + timedelta(days=day), count)
    return known


def window(count, measure="exports", kind="client", at=MONDAY_NOON):
    return Window(measure=measure, kind=kind, subject="Client/acme", starts_at=at, count=count)


@pytest.mark.parametrize(
    ("own", "peers", "count", "against"),
    [
        (usual(300), usual(100), 750, None),
        (usual(300), usual(100), 751, Against.OWN),
        (usual(300, windows=4), usual(100), 251, Against.PEERS),
        (usual(300, windows=4), usual(100), 250, None),
        (None, None, 5000, None),
        (None, None, 5001, Against.NOTHING),
        (None, usual(300, windows=2), 5001, Against.NOTHING),
    ],
)
def test_more_than_usual_is_found_against_the_best_baseline_there_is(own, peers, count, against):
    found = judge(VOLUME, window(count), own, peers)

    assert (found and found.against) == against


def test_little_is_never_odd_however_little_is_usual():
    assert judge(VOLUME, window(VOLUME.floor), usual(1), None) is None


def test_an_hour_of_the_week_in_which_they_never_work_is_odd_and_the_hour_beside_their_work_is_not():
    known = Baseline()
    for day in range(28 * 3):
        known = known.learn(MONDAY_NOON + timedelta(days=day // 3, hours=day % 3), 5)

    def at(hours):
        return judge(
            HOURS, window(20, "work", "actor", MONDAY_NOON + timedelta(days=28, hours=hours)), known, None
        )

    assert [bool(at(hours)) for hours in (0, 2, 3, 4, 12)] == [False, False, False, True, True]


def test_odd_hours_without_history_are_not_judged():
    assert judge(HOURS, window(50, "work", "actor"), None, usual(5, windows=3)) is None


@pytest.mark.parametrize(
    ("wrong", "right", "tuned"), [(0, 0, 1), (1, 0, 1.1), (0, 1, 0.95), (500, 0, 2), (0, 500, 0.5)]
)
def test_feedback_moves_a_limit_within_bounds(wrong, right, tuned):
    assert tuning_of(wrong=wrong, right=right) == pytest.approx(tuned)


def test_a_tuned_limit_is_higher():
    assert limit_of(VOLUME, usual(300), 2) == 2 * limit_of(VOLUME, usual(300))


def test_an_attack_teaches_no_more_than_three_times_the_usual():
    known = usual(100, windows=10)

    assert known.learn(MONDAY_NOON, 100_000).total == pytest.approx(known.total + 300)


def test_what_is_old_weighs_less():
    known = usual(100, windows=MEMORY)
    for _ in range(MEMORY):
        known = known.learn(MONDAY_NOON, 200)

    assert known.windows == pytest.approx(MEMORY)
    assert known.mean > 160


def test_the_week_begins_on_monday_in_the_sites_time():
    assert hour_of_week(MONDAY_NOON) == 12
    assert hour_of_week(MONDAY_NOON - timedelta(hours=13)) == 167


def test_every_row_of_the_table_names_what_there_is():
    for each in table().values():
        assert each.how is How.STATE or each.measure in set(Measure)
        assert each.act in ("", *Act)
        assert each.severity in ("low", "medium", "high")
        assert each.how not in (How.ABOVE, How.HOURS) or (each.history and each.measure in LEARNED)
        assert len(each.name) <= 20


def test_every_measure_is_watched():
    assert {each.measure for each in table().values()} - {""} == set(Measure)
    assert set(Measure) >= BY_HOUR | LEARNED


def test_another_kind_or_measure_is_not_judged():
    odd = window(9_999)

    assert judge(VOLUME, replace(odd, kind="cohort"), None, None) is None
    assert judge(VOLUME, replace(odd, measure="reads"), None, None) is None
    assert list(detectors.of_measure("exports")) == [VOLUME]
