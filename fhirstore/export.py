"""Resources in bulk, as a stream: what a Bulk Data export of this store reads from.

Pages are keyset COPY statements, bounded by bytes. Between two pages nothing is open, so the one who reads
may use the same connection, stop, and go on another day behind the last key.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from fhirstore import terms
from fhirstore.dates import BEGINNING, END
from fhirstore.definitions import TYPES

PAGE_ROWS = 5000
PAGE_BYTES = 8 * 2**20  # as stored: compressed, so a page is a few times that in memory
PATIENTS_AT_ONCE = 50

# CSV with quote and delimiter that JSON cannot hold: COPY's own text format would double every backslash.
_COPY = """
COPY (
  SELECT p.key, p.body FROM (
    SELECT r.key, r.body, sum(pg_column_size(r.body)) OVER (ORDER BY r.key) - pg_column_size(r.body) AS before
    FROM fhirstore_resource r
    WHERE r.type = %s AND NOT r.deleted AND r.key > %s AND r.last_updated >= %s AND r.last_updated < %s
      AND {condition}
    ORDER BY r.key LIMIT %s
  ) p WHERE p.before < %s ORDER BY p.key
) TO STDOUT (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be read. `since` is inclusive, `until` exclusive; `patients` are ids, None for all."""

    types: tuple[str, ...] = tuple(TYPES)
    since: datetime = BEGINNING
    until: datetime = END
    patients: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """How far a stream is: behind `key` of `type`, within a portion of the patients."""

    portion: int = 0
    type: str = ""
    key: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Some resources of one type as NDJSON, and the place to go on behind them."""

    type: str
    ndjson: bytes
    count: int
    place: Place


def stream(selection: Selection) -> Iterator[tuple[str, bytes]]:
    """(type, NDJSON) of all resources of the selection, each line a body as a read serves it."""
    for page in pages(selection):
        yield page.type, page.ndjson


def pages(selection: Selection, after: Place | None = None) -> Iterator[Page]:
    """By portions of the patients, by type, by key. A resource that several patients share comes once for
    each portion that has one of them; `after` goes on behind a page of the same selection."""
    after = after or Place()
    for number, patients in enumerate(_portions(selection.patients)):
        if number < after.portion:
            continue
        for kind in selection.types:
            key = 0
            if number == after.portion and after.type:
                if selection.types.index(kind) < selection.types.index(after.type):
                    continue
                key = after.key if kind == after.type else 0
            yield from _pages_of_type(selection, kind, patients, number, key)


def _portions(patients: Collection[str] | None) -> list[Sequence[str] | None]:
    if patients is None:
        return [None]
    listed = sorted(patients)
    return [listed[at : at + PATIENTS_AT_ONCE] for at in range(0, len(listed), PATIENTS_AT_ONCE)]


def _pages_of_type(
    selection: Selection, kind: str, patients: Sequence[str] | None, portion: int, key: int
) -> Iterator[Page]:
    while True:
        lines, key = _copy(selection, kind, patients, key)
        if not lines:
            return
        yield Page(kind, b"".join(lines), len(lines), Place(portion, kind, key))


def _copy(
    selection: Selection, kind: str, patients: Sequence[str] | None, after: int
) -> tuple[list[bytes], int]:
    """Lines of the next page, and the key of its last."""
    condition, params = "TRUE", []
    if patients is not None:
        condition, params = "r.terms && %s::bigint[]", [[terms.compartment(each) for each in patients]]
    values: list[Any] = [kind, after, selection.since, selection.until, *params, PAGE_ROWS, PAGE_BYTES]
    lines: list[bytes] = []
    with connection.cursor() as cursor, cursor.copy(_COPY.format(condition=condition), values) as copy:
        for row in _rows(copy):
            key, _, body = row.partition(b"\x02")
            lines.append(body)
            after = int(key)
    return lines, after


def _rows(copy: Any) -> Iterator[bytes]:
    """Whole lines, however the driver cuts what it gets."""
    rest = b""
    for block in copy:
        *whole, rest = (rest + bytes(block)).split(b"\n")
        yield from (line + b"\n" for line in whole)
