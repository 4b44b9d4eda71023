"""One measure over time, as SVG: the trend on its own page, and the sparkline in lists. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby, pairwise

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext

from fhirproxy.dates import axis_words, month_words
from fhirproxy.numbers import number_text
from fhirproxy.reading import Moment
from portal.acting import voice
from portal.charts import NOTHING, WIDTH, _n, mark
from portal.combining import units
from portal.observations import Progress, Range, Result, Standing

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 200.0, 56.0, 62.0, 16.0, 34.0
MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Point:
    when: Moment
    value: Decimal
    unit: str
    method: str
    usual: Range | None
    standing: Standing
    preliminary: bool = False
    ucum: str = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """A picture and what to say beside it. `svg` is "" where fewer than two points can be compared."""

    svg: SafeString
    first: Point | None
    last: Point | None
    count: int
    inside: int
    other_units: int  # results that could not be drawn with the rest
    breaks: bool  # the line is broken, since the way of measuring changed


def points_of(results: Sequence[Result]) -> list[Point]:
    """The plain numbers among the results, oldest first."""
    points = [
        Point(
            result.when,
            result.value,
            result.unit,
            result.method,
            result.range if result.is_drawable else None,
            result.standing,
            result.progress == Progress.PRELIMINARY,
            result.ucum,
        )
        for result in results
        if result.when and result.value is not None
    ]
    return sorted(points, key=lambda point: point.when.at)


def trend(points: Sequence[Point], *, id: str, name: str) -> Trend:
    """Draw points (oldest first) in the unit of the newest. Real time runs along x."""
    comparable = _comparable(points)
    drawn = comparable[-MOST_POINTS:]
    inside = sum(point.standing == Standing.IN for point in drawn)
    breaks = any(one.method != other.method for one, other in pairwise(drawn))
    made = Trend(
        NOTHING,
        drawn[0] if drawn else None,
        drawn[-1] if drawn else None,
        len(drawn),
        inside,
        len(points) - len(comparable),
        breaks,
    )
    if len(drawn) < 2:
        return made
    return Trend(_svg(drawn, made, id, name), *(getattr(made, f) for f in Trend.__slots__[1:]))


def apart(points: Sequence[Point]) -> list[list[Point]]:
    """The points that `trend` leaves out, for pictures of their own: each in one unit, oldest first."""
    groups, rest = [], _others(points)
    while rest:
        groups.append(_comparable(rest))
        rest = _others(rest)
    return groups


def _comparable(points: Sequence[Point]) -> list[Point]:
    """Those that can be said exactly in the unit of the newest, in that unit."""
    return [said for point in points if (said := _in_unit_of(points[-1], point))]


def _others(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if not _in_unit_of(points[-1], point)]


def _in_unit_of(newest: Point, point: Point) -> Point | None:
    if not (newest.ucum and point.ucum):
        return point if point.unit == newest.unit else None
    times = units.factor(point.ucum, newest.ucum)
    if times is None or times == 1:
        return point if times else None
    usual = point.usual and replace(
        point.usual,
        low=None if point.usual.low is None else point.usual.low * times,
        high=None if point.usual.high is None else point.usual.high * times,
    )
    return replace(point, value=point.value * times, unit=newest.unit, ucum=newest.ucum, usual=usual)


class _Scale:
    """From time and value to a place in the picture."""

    def __init__(self, points: Sequence[Point]) -> None:
        limits = [x for p in points if p.usual for x in (p.usual.low, p.usual.high) if x is not None]
        values = [point.value for point in points] + limits
        spread = max(values) - min(values) or abs(values[0]) or Decimal(1)
        self.low = min(values) - spread * Decimal("0.15")
        self.high = max(values) + spread * Decimal("0.15")
        self.start = points[0].when.at
        self.span = (points[-1].when.at - self.start).total_seconds()

    def x(self, point: Point) -> float:
        if not self.span:
            return (LEFT + WIDTH - RIGHT) / 2
        part = (point.when.at - self.start).total_seconds() / self.span
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: Decimal) -> float:
        return TOP + float((self.high - value) / (self.high - self.low)) * (HEIGHT - TOP - BOTTOM)


def _svg(points: Sequence[Point], made: Trend, id: str, name: str) -> SafeString:
    scale = _Scale(points)
    last = points[-1]
    return format_html(
        '<svg class="viz" viewBox="0 0 340 200" role="img" aria-labelledby="{}t {}d">'
        '<title id="{}t">{}</title><desc id="{}d">{}</desc>{}{}{}'
        '<text x="{}" y="{}">{}</text>'
        '<text class="sub" x="{}" y="192">{}</text>'
        '<text class="sub" x="{}" y="192" text-anchor="end">{}</text></svg>',
        id,
        id,
        id,
        pgettext("chart.trend.title", "{name} over time").format(name=name),
        id,
        _description(points, made.inside),
        _bands(points, scale),
        _lines(points, scale),
        _joined(
            mark(scale.x(p), scale.y(p.value), p.standing, preliminary=p.preliminary, r=6) for p in points
        ),
        _n(scale.x(last) + 12),
        _n(scale.y(last.value) + 5),
        _short(last.value),
        _n(LEFT),
        axis_words(points[0].when),
        _n(WIDTH - RIGHT),
        axis_words(last.when),
    )


def _description(points: Sequence[Point], inside: int) -> str:
    said = (
        pgettext(
            "chart.trend.desc",
            "{count} results from {start} to {end}. The first is {first}, the latest {last}. "
            "{inside} of {count} are in the usual range. The table below has each result.",
        )
        if any(point.standing != Standing.UNKNOWN for point in points)
        else pgettext(
            "chart.trend.desc_no_range",
            "{count} results from {start} to {end}. The first is {first}, the latest {last}. "
            "The table below has each result.",
        )
    )
    first, last = points[0], points[-1]
    return said.format(
        count=len(points),
        start=_month(first),
        end=_month(last),
        first=_quantity(first),
        last=_quantity(last),
        inside=inside,
    )


def _bands(points: Sequence[Point], scale: _Scale) -> SafeString:
    """The usual range behind the points, in steps where it changed half-way between two results."""
    xs = [scale.x(point) for point in points]
    edges = [LEFT, *((one + other) / 2 for one, other in pairwise(xs)), WIDTH - RIGHT]
    drawn: list[SafeString] = []
    index = 0
    for usual, group in groupby(points, key=lambda point: _limits(point.usual)):
        size = len(list(group))
        left, right = edges[index], edges[index + size]
        index += size
        if usual != (None, None) and right > left:
            drawn.append(_band(usual, left, right, scale, is_first=not drawn))
    return _joined(drawn)


def _limits(usual: Range | None) -> tuple[Decimal | None, Decimal | None]:
    return (usual.low, usual.high) if usual else (None, None)


def _band(
    limits: tuple[Decimal | None, Decimal | None], left: float, right: float, scale: _Scale, *, is_first: bool
) -> SafeString:
    low, high = limits
    top = scale.y(high) if high is not None else TOP - 8
    bottom = scale.y(low) if low is not None else HEIGHT - BOTTOM + 8
    labels = NOTHING
    if is_first:
        known = [limit for limit in (high, low) if limit is not None]
        if len(known) == 2 and abs(scale.y(known[0]) - scale.y(known[1])) < 16:
            known = known[:1]  # both would stand on each other; the sentence has both
        labels = _joined(
            format_html(
                '<text class="sub" x="{}" y="{}" text-anchor="end">{}</text>',
                _n(LEFT - 5),
                _n(scale.y(limit) + 5),
                _short(limit),
            )
            for limit in known
        )
        if right - left > 96 and bottom - top > 20:
            labels += format_html(
                '<text class="sub" x="{}" y="{}">{}</text>',
                _n(left + 6),
                _n(bottom - 6),
                pgettext("chart.usual", "Usual range"),
            )
    return format_html(
        '<rect class="band" x="{}" y="{}" width="{}" height="{}"/>{}',
        _n(left),
        _n(top),
        _n(right - left),
        _n(max(bottom - top, 2)),
        labels,
    )


def _lines(points: Sequence[Point], scale: _Scale) -> SafeString:
    """A line through what was measured the same way; a gap where the method changed."""
    runs = [list(group) for _, group in groupby(points, key=lambda point: point.method)]
    return _joined(
        format_html(
            '<polyline class="ln" points="{}"/>',
            " ".join(f"{_n(scale.x(p))},{_n(scale.y(p.value))}" for p in run),
        )
        for run in runs
        if len(run) > 1
    )


def sparkline(points: Sequence[Point]) -> SafeString:
    """A small line for lists, hidden from screen readers: words stand beside it. "" below two points."""
    drawn = _comparable(points)[-MOST_POINTS:]
    if len(drawn) < 2:
        return NOTHING
    scale = _Scale([Point(p.when, p.value, p.unit, p.method, None, p.standing) for p in drawn])
    places = [
        (
            4 + (scale.x(p) - LEFT) / (WIDTH - LEFT - RIGHT) * 88,
            4 + (scale.y(p.value) - TOP) / (HEIGHT - TOP - BOTTOM) * 24,
        )
        for p in drawn
    ]
    return format_html(
        '<svg class="spark" viewBox="0 0 96 32" aria-hidden="true"><polyline class="ln" points="{}"/>'
        '<circle class="dot" cx="{}" cy="{}" r="3.5"/></svg>',
        " ".join(f"{_n(x)},{_n(y)}" for x, y in places),
        _n(places[-1][0]),
        _n(places[-1][1]),
    )


def went_from(made: Trend) -> str:
    """ "Your number went from 152 to 118 since October 2023." "" where there is nothing to compare."""
    if not made.svg or made.first is None or made.last is None:
        return ""
    if _quantity(made.first) == _quantity(made.last):
        return str(
            voice(
                pgettext("chart.trend.same", "Your latest number is {last}, the same as in {start}."),
                pgettext("acting.chart.trend.same", "The latest number is {last}, the same as in {start}."),
            )
        ).format(last=_quantity(made.last), start=_month(made.first))
    return str(
        voice(
            pgettext("chart.trend.went", "Your number went from {first} to {last} since {start}."),
            pgettext("acting.chart.trend.went", "The number went from {first} to {last} since {start}."),
        )
    ).format(first=_quantity(made.first), last=_quantity(made.last), start=_month(made.first))


def _quantity(point: Point) -> str:
    return f"{number_text(point.value)} {point.unit}".strip()


def _short(value: Decimal) -> str:
    """At most 7 characters, so that it fits beside the line."""
    text = number_text(value)
    return text if len(text) <= 7 else f"{value:.3g}"


def _month(point: Point) -> str:
    return month_words(point.when)


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return mark_safe("".join(parts))  # noqa: S308  every part is made by format_html
