"""Results as CSV for spreadsheets: one row for each value, and for each part of a result that has parts."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import pgettext

from exports import spreadsheet
from exports.formats.about import About, Resource
from exports.formats.measures import Measure, measures, moment_of, when
from exports.formats.records import Records
from fhirproxy.reading import LONG_AGO, first, moment, objects, text, words

HELD = frozenset({"Observation"})
CANCELLED = "cancelled"  # never measured; what was entered in error never gets here


def file(resources: Iterable[Resource], about: About) -> Iterator[bytes]:
    """The file in pieces: UTF-8 with a byte order mark, RFC 4180, newest first, undated rows last."""
    records = Records(resources, about)
    found = [one for one in records.all if one["resourceType"] in HELD and one.get("status") != CANCELLED]
    with about.spoken():
        yield spreadsheet.BYTE_ORDER_MARK.encode()
        yield _line(_headings())
        for one in sorted(found, key=_at, reverse=True):
            for measure in measures(one):
                yield _line(_row(records, one, measure))


def _at(resource: Resource) -> tuple[bool, float]:
    known = moment_of(resource)
    return known is not None, (known.at if known else LONG_AGO).timestamp()


def _line(row: Sequence[str | Decimal]) -> bytes:
    return spreadsheet.line(row).encode()


def _headings() -> tuple[str, ...]:
    return (
        pgettext("results.csv.date", "Date and time"),
        pgettext("results.csv.name", "Test or measure"),
        pgettext("results.csv.panel", "Part of"),
        pgettext("results.csv.comparator", "Less or more than"),
        pgettext("results.csv.value", "Value"),
        pgettext("results.csv.unit", "Unit"),
        pgettext("results.csv.range", "Usual range"),
        pgettext("results.csv.mark", "Mark of the lab"),
        pgettext("results.csv.status", "Status"),
        pgettext("results.csv.kind", "Kind"),
        pgettext("results.csv.code", "Code (LOINC)"),
        pgettext("results.csv.performer", "Who did it"),
        pgettext("results.csv.source", "Source"),
        pgettext("results.csv.id", "Id"),
    )


def _row(records: Records, one: Resource, measure: Measure) -> tuple[str | Decimal, ...]:
    return (
        zoned(when(one), records.about.time_zone),
        measure.name,
        measure.panel,
        measure.comparator,
        measure.value if measure.number is None else measure.number,
        measure.unit,
        measure.range,
        measure.mark,
        text(one, "status"),
        ", ".join(filter(None, (words(kind) for kind in objects(one, "category")))),
        measure.code,
        records.name(one, first(one, "performer")),
        records.about.source_name(one),
        text(one, "id"),
    )


def zoned(value: str, zone: str) -> str:
    """A dateTime on the reader's clock, with its offset; a date, a month or a year as it was written."""
    known = moment(value)
    if known is None or known.precision != "time":
        return value if known else ""
    return known.at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
