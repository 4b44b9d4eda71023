"""The number line of one result, drawn as SVG on the server. Pure: a value and a range in, a picture out.

A circle is inside the usual range, a diamond outside; colour is never the only sign. The
picture says in `desc` what it shows, and says it the way it is drawn.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext

from fhirproxy.numbers import number_text
from portal.acting import voice
from portal.lab_words import range_words
from portal.observations import Range, Standing

WIDTH, EDGE, AXIS_Y, BAND_HEIGHT = 340.0, 8.0, 66.0, 24.0
MARK = 8.0  # half a mark's width
CHARACTER = 10.2  # width of one character at 15 px bold, in the widest of the system fonts
FAR = 3  # range-widths away, from where a value is pinned to the end
NOTHING = SafeString("")


@dataclass(frozen=True, slots=True)
class Line:
    """Where things stand on the line, in viewBox units."""

    band: tuple[float, float]
    mark: float
    standing: Standing
    pinned: bool  # the value lies far beyond the picture
    start: Decimal
    end: Decimal

    def x(self, value: Decimal) -> float:
        return EDGE + float((value - self.start) / (self.end - self.start)) * (WIDTH - 2 * EDGE)


def line(value: Decimal, usual: Range) -> Line:
    """Lay out a number line. The scale is the range widened by 30 % on each side, stretched to the value;
    a missing limit runs to the edge and is never taken for 0.
    """
    low, high = usual.low, usual.high
    width = _width(usual)
    first, last = _known_limits(usual)
    start = first - width * (Decimal("0.3") if low is not None else 1)
    end = last + width * (Decimal("0.3") if high is not None else 1)
    pinned = (low is not None and value < low - FAR * width) or (
        high is not None and value > high + FAR * width
    )
    if not pinned:
        margin = width * Decimal("0.1")
        start, end = min(start, value - margin), max(end, value + margin)
    layout = Line((0, 0), 0, usual.standing(value), pinned, start, end)
    left = layout.x(low) if low is not None else EDGE
    right = max(layout.x(high) if high is not None else WIDTH - EDGE, left + 4)
    return Line(
        (left, right),
        _mark(layout.x(value), left, right, layout.standing),
        layout.standing,
        pinned,
        start,
        end,
    )


def _known_limits(usual: Range) -> tuple[Decimal, Decimal]:
    """The lowest and the highest limit that there is; the same one twice for an open range."""
    known = [limit for limit in (usual.low, usual.high) if limit is not None]
    return known[0], known[-1]


def _width(usual: Range) -> Decimal:
    first, last = _known_limits(usual)
    return last - first or abs(last) or Decimal(1)


def _mark(x: float, left: float, right: float, standing: Standing) -> float:
    """Keep a mark clear of the band's edge, so that one sees on which side of it a close value lies."""
    if standing == Standing.LOW:
        x = min(x, left - MARK)
    elif standing == Standing.HIGH:
        x = max(x, right + MARK)
    elif right - left >= 2 * MARK:
        x = min(max(x, left + MARK), right - MARK)
    else:
        x = (left + right) / 2
    return min(max(x, EDGE + MARK), WIDTH - EDGE - MARK)


def number_line(
    *,
    id: str,
    name: str,
    value: Decimal,
    unit: str,
    usual: Range,
    goals: Iterable[Range] = (),
    preliminary: bool = False,
) -> SafeString:
    """One result against its usual range. `id` must be unique on the page. "" if there is nothing to draw."""
    shown = number_text(value)
    if not usual.is_drawable or len(shown) > 20:
        return NOTHING
    layout = line(value, usual)
    goal_marks = _goals(goals, layout)
    return format_html(
        '<svg class="viz" viewBox="0 0 340 {}" role="img" aria-labelledby="{}t {}d">'
        '<title id="{}t">{}</title><desc id="{}d">{}</desc>'
        '<line class="base" x1="8" x2="332" y1="66" y2="66"/>'
        '<rect class="band" x="{}" y="54" width="{}" height="24" rx="4"/>{}{}'
        '<line class="now" x1="{}" x2="{}" y1="30" y2="{}"/>{}{}</svg>',
        134 if goal_marks else 116,
        id,
        id,
        id,
        f"{name}: {shown} {unit}".strip(),
        id,
        description(layout, usual, unit),
        _n(layout.band[0]),
        _n(layout.band[1] - layout.band[0]),
        _limits(usual, layout),
        goal_marks,
        _n(layout.mark),
        _n(layout.mark),
        _n(AXIS_Y - MARK),
        mark(layout.mark, AXIS_Y, layout.standing, preliminary=preliminary, pinned=layout.pinned),
        _label(
            str(
                voice(pgettext("chart.you", "You: {value}"), pgettext("acting.chart.you", "Now: {value}"))
            ).format(value=shown),
            layout.mark,
            22,
        ),
    )


def description(layout: Line, usual: Range, unit: str) -> str:
    where = {
        Standing.IN: pgettext("chart.desc.in", "This is in the usual range."),
        Standing.LOW: pgettext("chart.desc.low", "This is below the usual range."),
        Standing.HIGH: pgettext("chart.desc.high", "This is above the usual range."),
    }[layout.standing]
    said = [
        where,
        pgettext("chart.desc.range", "The usual range at this lab is {range}.").format(
            range=range_words(usual, unit)
        ),
    ]
    if layout.pinned and layout.standing == Standing.HIGH:
        said.append(pgettext("chart.desc.far_high", "It is much higher than this picture shows."))
    if layout.pinned and layout.standing == Standing.LOW:
        said.append(pgettext("chart.desc.far_low", "It is much lower than this picture shows."))
    return " ".join(said)


def mark(
    x: float,
    y: float,
    standing: Standing,
    *,
    preliminary: bool = False,
    pinned: bool = False,
    r: float = MARK,
) -> SafeString:
    """A circle inside, a diamond outside, a hollow ring where nobody knows; dashed while not final."""
    if pinned:
        turn = 1 if standing == Standing.HIGH else -1
        points = f"M{_n(x - 5 * turn)} {_n(y - 7)}L{_n(x + 3 * turn)} {_n(y)}L{_n(x - 5 * turn)} {_n(y + 7)}"
        return format_html('<path class="arrow" d="{}"/>', points)
    outside = standing in (Standing.LOW, Standing.HIGH)
    look = "pre" if preliminary else "out" if outside else "in" if standing == Standing.IN else "na"
    if not outside:
        return format_html('<circle class="{}" cx="{}" cy="{}" r="{}"/>', look, _n(x), _n(y), _n(r))
    points = f"M{_n(x)} {_n(y - r)}L{_n(x + r)} {_n(y)}L{_n(x)} {_n(y + r)}L{_n(x - r)} {_n(y)}z"
    return format_html('<path class="{}" d="{}"/>', look, points)


def _limits(usual: Range, layout: Line) -> SafeString:
    """The known limits under the band, together where they would run into each other."""
    left, right = layout.band
    low, high = (None if limit is None else number_text(limit) for limit in (usual.low, usual.high))
    if low is not None and high is not None and right - left < (len(low) + len(high) + 2) / 2 * CHARACTER:
        labels = [(f"{low} – {high}", (left + right) / 2)]
    else:
        labels = [(label, x) for label, x in ((low, left), (high, right)) if label is not None]
    drawn = [(label, x, 95) for label, x in labels]
    drawn.append((pgettext("chart.usual", "Usual range"), (left + right) / 2, 112))
    return mark_safe("".join(_label(label, x, y, "sub") for label, x, y in drawn))  # noqa: S308


def _goals(goals: Iterable[Range], layout: Line) -> SafeString:
    """A second mark, only from a range that someone set and named (a treatment goal)."""
    for goal in goals:
        limit = goal.high if goal.high is not None else goal.low
        if limit is not None and layout.start <= limit <= layout.end and goal.kind:
            x = layout.x(limit)
            return format_html(
                '<line class="goal" x1="{}" x2="{}" y1="46" y2="86"/>{}',
                _n(x),
                _n(x),
                _label(f"{goal.kind[:24]}: {range_words(goal)}", x, 129, "sub"),
            )
    return NOTHING


def _label(text: str, x: float, y: float, look: str = "") -> SafeString:
    """Text centred at x, moved in so that none of it leaves the picture."""
    half = min(len(text) * CHARACTER / 2, WIDTH / 2)
    return format_html(
        '<text{} x="{}" y="{}" text-anchor="middle">{}</text>',
        format_html(' class="{}"', look) if look else "",
        _n(min(max(x, half), WIDTH - half)),
        _n(y),
        text,
    )


def _n(number: float) -> str:
    """A coordinate: one decimal at most, and never in scientific notation."""
    return f"{number:.1f}".removesuffix(".0")
