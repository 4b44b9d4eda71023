"""What the page of one result shows, in the order it is read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_

from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from fhirproxy.dates import date_words
from portal import charts, lab_words, trends
from portal.lab_words import Chip
from portal.observations import Progress, Result
from portal.series import series
from portal.trends import Trend

SHOWN_ROWS = 5
LONGEST_OPEN = 6  # rows of one report in the list of results
Table = list[list[dict[str, object]]]  # cells: {"text", "label", "number"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One number and its story: sentence, number line, trend, table."""

    result: Result
    chip: Chip | None
    urgent: Chip | None
    sentences: list[str]
    line: SafeString
    trend: Trend
    went: str
    head: list[str]
    rows: Table  # for parts/table.html, newest first
    count: int
    apart: list[Trend]  # of results in units that cannot be compared with the newest's


@dataclass(frozen=True, slots=True)
class ListRow:
    """One result in a list: name, value, chip, and a small line with words."""

    result: Result
    chip: Chip | None
    urgent: Chip | None
    spark: SafeString
    words: str


def panels(result: Result, results: Sequence[Result], *, most_rows: int = SHOWN_ROWS) -> list[Panel]:
    """One panel for a single result, one for each part of a panel such as blood pressure."""
    shown = [result] if result.value_text or not result.parts else list(result.parts)
    return [
        _panel(one, series(results, one.code), f"r{number}", most_rows) for number, one in enumerate(shown)
    ]


def _panel(result: Result, same: list[Result], id: str, most_rows: int) -> Panel:
    points = trends.points_of(same)
    made = trends.trend(points, id=f"{id}t", name=str(result.name))
    return Panel(
        result,
        lab_words.standing_chip(result),
        lab_words.urgent_chip(result),
        lab_words.sentences(result),
        _line(result, id),
        made,
        trends.went_from(made),
        *_table(same[:most_rows]),
        len(same),
        [
            trends.trend(group, id=f"{id}u{number}", name=f"{result.name} ({group[-1].unit or '-'})")
            for number, group in enumerate(trends.apart(points))
        ],
    )


def _line(result: Result, id: str) -> SafeString:
    if not result.is_drawable or result.value is None or result.range is None:
        return charts.NOTHING
    return charts.number_line(
        id=id,
        name=str(result.name),
        value=result.value,
        unit=result.unit,
        usual=result.range,
        goals=result.goals,
        preliminary=result.progress == Progress.PRELIMINARY,
    )


def _table(results: Sequence[Result]) -> tuple[list[str], Table]:
    """Head and rows; without the columns about the usual range where no result has one."""
    date, value, usual, compared = (
        pgettext("result.table.date", "Date"),
        pgettext("result.table.result", "Result"),
        pgettext("result.table.usual", "Usual range"),
        pgettext("result.table.compared", "Compared"),
    )
    rows: Table = [
        [
            {"text": date_words(result.when) or pgettext("result.no_date", "No date")},
            {"label": value, "text": result.shown, "number": True},
            {"label": usual, "text": _range(result) or "–"},
            {"label": compared, "text": _compared(result)},
        ]
        for result in results
    ]
    if any(result.origin.kept_by for result in results):
        kept = pgettext("result.table.kept_by", "Kept by")
        for row, result in zip(rows, results, strict=True):
            row.append({"label": kept, "text": result.origin.kept_by})
        if not any(_range(result) or lab_words.standing_chip(result) for result in results):
            return [date, value, kept], [[*row[:2], row[-1]] for row in rows]
        return [date, value, usual, compared, kept], rows
    if any(_range(result) or lab_words.standing_chip(result) for result in results):
        return [date, value, usual, compared], rows
    return [date, value], [row[:2] for row in rows]


def _range(result: Result) -> str:
    return lab_words.range_words(result.range, result.unit) or result.range_text


def _compared(result: Result) -> str:
    chip = lab_words.standing_chip(result)
    words = str(chip.text) if chip else "–"
    if result.progress in (Progress.PRELIMINARY, Progress.CORRECTED):
        return f"{words} ({lab_words.PROGRESS[result.progress]})"
    return words


def list_rows(shown: Sequence[Result], results: Sequence[Result]) -> list[ListRow]:
    """Rows of a list, each with its measure's history out of `results`."""
    return [_list_row(result, results) for result in shown]


def _list_row(result: Result, results: Sequence[Result]) -> ListRow:
    measure = result.parts[0] if result.parts and not result.value_text else result
    points = trends.points_of(series(results, measure.code)) if measure.code else []
    words = ""
    if len(points) > 1:
        words = pgettext("results.since", "{count} results since {start}").format(
            count=len(points), start=trends.month_words(points[0].when)
        )
    return ListRow(
        result,
        lab_words.standing_chip(result),
        lab_words.urgent_chip(result),
        trends.sparkline(points),
        words,
    )


def folded(rows: Sequence[ListRow]) -> tuple[list[ListRow], list[ListRow]]:
    """(open, behind a click): of a long report, only what is outside the usual range, or held, stays open."""
    if len(rows) <= LONGEST_OPEN:
        return list(rows), []
    is_open = [row.result.is_outside or row.result.is_held for row in rows]
    return list(compress(rows, is_open)), list(compress(rows, map(not_, is_open)))
