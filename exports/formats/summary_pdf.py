"""A summary that people read and print: PDF/UA-1, in English or Spanish."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import pgettext

from consent.words import CATEGORY
from exports import typesetting
from exports.formats.about import About, Resource
from exports.formats.measures import Measure, measures, moment_of
from exports.formats.parts import WHY, Part, Table, tables
from exports.formats.records import Records, name_of
from fhirproxy.dates import date_words
from fhirproxy.numbers import number_text
from fhirproxy.reading import Moment, moment, text

TEMPLATE = Path(__file__).with_name("summary.typ")
MOST_ROWS = 60  # of one part on paper, newest first; the part says how many more there are
MOST_TRENDS = 6  # under one part
ENOUGH = 3  # points, below which a line says less than the table
WIDTHS = (5, 4, 3, 3, 3)  # of columns, in parts; the last one is the source's
# As they stand on paper: what to know first, first.
ORDER = (
    *(Part.ALLERGIES, Part.MEDICINES, Part.PROBLEMS, Part.VITAL_SIGNS, Part.RESULTS, Part.REPORTS),
    *(Part.VACCINES, Part.PROCEDURES, Part.DEVICES, Part.PREGNANCY, Part.PAST_PROBLEMS),
    *(Part.SOCIAL_HISTORY, Part.FAMILY_HISTORY, Part.PLANS, Part.CARE_TEAM, Part.APPOINTMENTS),
    *(Part.VISITS, Part.DOCUMENTS, Part.COVERAGE),
)
Trend = dict[str, Any]


def file(resources: Iterable[Resource], about: About) -> bytes:
    """The whole file. Raises typesetting.NotSet, which no record can bring about."""
    records = Records(resources, about)
    with about.spoken():
        return typesetting.pdf(TEMPLATE, _data(records), made_at=about.made_at)


def _data(records: Records) -> dict[str, Any]:
    about = records.about
    name = name_of(about.patient)
    made = _moment(about.made_at)
    return {
        "language": about.language,
        "custodian": about.custodian,
        "title": pgettext("summary.title", "Health summary of {name}").format(name=name[:200]),
        "footer": pgettext("summary.footer", "{name} · made {time}").format(name=name[:60], time=made),
        "about": [
            [pgettext("summary.name", "Name"), name],
            [pgettext("summary.born", "Born"), date_words(moment(text(about.patient, "birthDate")))],
            [pgettext("summary.made", "Made"), made],
            [pgettext("summary.by", "Given out by"), about.custodian],
        ],
        "sources": [[source.name, _moment(source.as_of)] for source in about.sources],
        "left_out": [[str(CATEGORY[left.category]), str(WHY[left.why])] for left in about.left_out],
        "parts": [_part(records, table) for table in tables(records, ORDER)],
        "words": _words(),
    }


def _words() -> dict[str, Any]:
    return {
        "about": [pgettext("summary.col.about", "About"), pgettext("summary.col.says", "Details")],
        "page": pgettext("summary.page", "Page {page} of {pages}"),
        "what": pgettext(
            "summary.what",
            "This is a short form of your records. Show it to any doctor. "
            "The sources below wrote it, and we changed nothing.",
        ),
        "sources": pgettext("summary.sources", "Where these records come from"),
        "sources_columns": [
            pgettext("results.csv.source", "Source"),
            pgettext("summary.as-of", "As it stood on"),
        ],
        "left_out": pgettext("summary.left-out", "What is left out"),
        "left_out_columns": [pgettext("results.csv.kind", "Kind"), pgettext("summary.col.why", "Why")],
        "nothing_left_out": pgettext("summary.nothing-left-out", "No kind of record was left out."),
    }


def _part(records: Records, table: Table) -> dict[str, Any]:
    shown = table.rows[:MOST_ROWS]
    more = len(table.rows) - len(shown)
    # A column that says nothing (a usual range of vital signs) gives its room to the others.
    kept = [n for n in range(len(table.columns)) if any(row.cells[n] for row in shown)]
    drawn = table.part in (Part.VITAL_SIGNS, Part.RESULTS)
    return {
        "heading": table.heading,
        "notice": table.notice,
        "columns": [table.columns[n] for n in kept],
        "widths": [WIDTHS[n] for n in kept],
        "rows": [[row.cells[n] for n in kept] for row in shown],
        "trends": trends(table.resources) if drawn else [],
        "more": pgettext("summary.more", "There are {count} more in the other files.").format(count=more)
        if more > 0
        else "",
    }


def trends(resources: Iterable[Resource]) -> list[Trend]:
    """The measures with the most numbers in one unit, as points between 0 and 1, and words."""
    series: dict[tuple[str, str], list[tuple[Moment, Measure]]] = defaultdict(list)
    for one in resources:
        at = moment_of(one)
        for measure in measures(one):
            if at and measure.number is not None and not measure.comparator and measure.code:
                series[measure.code, measure.unit].append((at, measure))
    long = [
        found
        for found in series.values()
        if len({at for at, _ in found}) >= ENOUGH and len({measure.number for _, measure in found}) > 1
    ]
    long.sort(key=lambda found: (-len(found), found[0][1].name))
    return [_trend(sorted(found, key=lambda pair: pair[0])) for found in long[:MOST_TRENDS]]


def _trend(found: list[tuple[Moment, Measure]]) -> Trend:
    (start, first), (end, last) = found[0], found[-1]
    span = (end.at - start.at).total_seconds()
    values = [measure.number or Decimal(0) for _, measure in found]
    low, high = min(values), max(values)
    spread = high - low or Decimal(1)
    said = {
        "name": first.name[:200],
        "first": f"{number_text(values[0])} {first.unit}".strip(),
        "last": f"{number_text(values[-1])} {last.unit}".strip(),
        "start": date_words(start),
        "end": date_words(end),
        "count": len(found),
    }
    words = pgettext(
        "summary.trend", "{name}: from {first} on {start} to {last} on {end}, in {count} results."
    ).format(**said)
    return {
        "caption": words,
        "alt": words,
        "points": [
            [round((at.at - start.at).total_seconds() / span, 4), round(float((value - low) / spread), 4)]
            for (at, _), value in zip(found, values, strict=True)
        ],
        "first": number_text(values[0]),
        "last": number_text(values[-1]),
        "from": date_words(start),
        "until": date_words(end),
    }


def _moment(at: datetime) -> str:
    local = localtime(at)
    return f"{date_format(local, 'DATE_FORMAT')}, {date_format(local, 'TIME_FORMAT')} {local:%Z}"
