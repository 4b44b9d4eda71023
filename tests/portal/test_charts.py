"""Pictures of numbers: what is drawn is what is said, whatever the numbers are."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirproxy.reading import Moment
from portal import charts, trends
from portal.observations import Range, Standing
from portal.trends import Point
from tests.examples import examples

GOLDEN = Path(__file__).parent / "golden"
DAY = datetime(2025, 6, 12, tzinfo=UTC)


def numbers(places: int = 3) -> st.SearchStrategy[Decimal]:
    return st.decimals("-1e9", "1e9", places=places, allow_nan=False, allow_infinity=False)


@st.composite
def ranges(draw) -> Range:
    low, high = sorted([draw(numbers()), draw(numbers())])
    open_end = draw(st.sampled_from(["none", "low", "high"]))
    return Range(None if open_end == "low" else low, None if open_end == "high" else high)


def draw_line(value, usual, **more) -> ElementTree.Element:
    svg = charts.number_line(id="r", name="LDL", value=value, unit="mg/dL", usual=usual, **more)
    return ElementTree.fromstring(svg)


def numbers_in(svg: ElementTree.Element) -> list[float]:
    return [
        float(number)
        for element in svg.iter()
        for name, text in element.attrib.items()
        if name in {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "points"}
        for number in re.findall(r"-?[\d.]+", text)
    ]


@examples(10_000)
@given(value=numbers(), usual=ranges())
def test_number_line_is_drawn_as_it_is_said(value, usual):
    svg = charts.number_line(id="r", name="LDL", value=value, unit="mg/dL", usual=usual)

    assert not re.search("nan|inf|e[+-]", svg.split("</desc>")[1], re.IGNORECASE)
    layout = charts.line(value, usual)
    left, right = layout.band
    assert charts.EDGE <= layout.mark <= charts.WIDTH - charts.EDGE
    assert charts.EDGE - 0.01 <= left < right <= charts.WIDTH - charts.EDGE + 4
    if layout.standing == Standing.LOW:
        assert layout.mark < left
        assert "below the usual range" in svg
    elif layout.standing == Standing.HIGH:
        assert layout.mark > right
        assert "above the usual range" in svg
    else:
        assert left <= layout.mark <= right
        assert "in the usual range" in svg


@examples(300)
@given(value=numbers(), usual=ranges())
def test_nothing_leaves_the_view_box(value, usual):
    svg = draw_line(value, usual)

    assert all(-0.1 <= number <= 340.1 for number in numbers_in(svg))
    for text in svg.iter("text"):
        half = len(text.text) * charts.CHARACTER / 2
        assert float(text.get("x")) - half >= -0.1 or half >= charts.WIDTH / 2


@examples(300)
@given(
    values=st.lists(numbers(), min_size=2, max_size=30),
    gaps=st.lists(st.integers(0, 900), min_size=30, max_size=30),
    usual=st.none() | ranges(),
)
def test_trend_stays_inside_and_counts_what_it_shows(values, gaps, usual):
    when, points = DAY, []
    for value, gap in zip(values, gaps, strict=False):
        when += timedelta(days=gap)
        standing = usual.standing(value) if usual else Standing.UNKNOWN
        points.append(Point(Moment(when), value, "mg/dL", "", usual, standing))

    made = trends.trend(points, id="t", name="LDL")
    svg = ElementTree.fromstring(made.svg)

    marks = [e for e in svg.iter() if e.get("class") in {"in", "out", "na"}]
    assert len(marks) == made.count == len(values)
    assert all(-0.1 <= number <= 340.1 for number in numbers_in(svg))
    assert (f"{made.inside} of {made.count} are in the usual range" in made.svg) == (usual is not None)


def test_number_that_is_the_same_again_went_nowhere():
    points = [
        Point(Moment(DAY + timedelta(days=day)), Decimal(92), "mg/dL", "", None, Standing.UNKNOWN)
        for day in (0, 40)
    ]

    said = trends.went_from(trends.trend(points, id="t", name="Glucose"))

    assert said.startswith("Your latest number is 92 mg/dL, the same as in ")


def test_far_value_is_pinned_and_said():
    svg = charts.number_line(
        id="r", name="ALT", value=Decimal(900), unit="U/L", usual=Range(Decimal(7), Decimal(56))
    )

    assert "much higher than this picture shows" in svg
    assert 'class="arrow"' in svg


def test_missing_limit_is_not_zero():
    layout = charts.line(Decimal(-5), Range(high=Decimal(100)))

    assert layout.standing == Standing.IN
    assert layout.band[0] == charts.EDGE


def test_without_range_there_is_no_picture():
    words = Range(text="see note")

    assert charts.number_line(id="r", name="LDL", value=Decimal(1), unit="", usual=words) == ""


def test_names_from_outside_are_escaped():
    svg = charts.number_line(
        id="r", name="<script>", value=Decimal(1), unit="<b>", usual=Range(Decimal(0), Decimal(2))
    )

    assert "<script>" not in svg
    assert "<b>" not in svg


def test_trend_does_not_join_other_units_or_methods():
    def point(day: int, unit: str, method: str) -> Point:
        return Point(Moment(DAY + timedelta(days=day)), Decimal(day), unit, method, None, Standing.UNKNOWN)

    made = trends.trend(
        [point(1, "mmol/L", "a"), point(2, "mg/dL", "a"), point(3, "mg/dL", "a"), point(4, "mg/dL", "b")],
        id="t",
        name="LDL",
    )

    assert (made.count, made.other_units, made.breaks) == (3, 1, True)
    assert made.svg.count("<polyline") == 1


def test_one_point_is_no_trend():
    point = Point(Moment(DAY), Decimal(1), "mg/dL", "", None, Standing.UNKNOWN)

    assert trends.trend([point], id="t", name="LDL").svg == ""
    assert trends.sparkline([point]) == ""
    assert trends.trend([], id="t", name="LDL").count == 0


LDL = [(2023, 3, 141), (2023, 10, 152), (2024, 6, 138), (2025, 1, 126), (2025, 6, 118)]
UNTIL_100 = Range(high=Decimal(100))
PICTURES = {
    "above": lambda: charts.number_line(
        id="r", name="LDL cholesterol", value=Decimal(118), unit="mg/dL", usual=UNTIL_100
    ),
    "inside-preliminary": lambda: charts.number_line(
        id="r",
        name="Potassium",
        value=Decimal("4.1"),
        unit="mmol/L",
        usual=Range(Decimal("3.5"), Decimal("5.1")),
        preliminary=True,
    ),
    "goal": lambda: charts.number_line(
        id="r",
        name="Hemoglobin A1c",
        value=Decimal("7.4"),
        unit="%",
        usual=Range(Decimal("4.0"), Decimal("5.6")),
        goals=[Range(high=Decimal("7.0"), kind="Treatment goal")],
    ),
    "trend": lambda: (
        trends.trend(
            [
                Point(
                    Moment(datetime(year, month, 12, tzinfo=UTC)),
                    Decimal(value),
                    "mg/dL",
                    "",
                    UNTIL_100,
                    Standing.HIGH,
                )
                for year, month, value in LDL
            ],
            id="t",
            name="LDL cholesterol",
        ).svg
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_the_one_we_looked_at(name):
    """Golden files: delete one to draw it anew, and look at it before it is committed."""
    path = GOLDEN / f"{name}.svg"
    drawn = PICTURES[name]()
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn + "\n")
        pytest.fail(f"{path.name} was missing and has been drawn: look at it")

    assert drawn + "\n" == path.read_text()
