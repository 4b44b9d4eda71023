"""Rows as CSV (RFC 4180) that no spreadsheet can be made to run."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

STARTS_A_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Spreadsheets take a file without this mark for Windows-1252 and spoil every accent. RFC 4180 says nothing
# against it, and whoever reads with code says "utf-8-sig".
BYTE_ORDER_MARK = "\ufeff"


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what could begin one.

    Spreadsheets skip spaces and marks that cannot be seen, so these do not hide a beginning.
    """
    start = cell.lstrip(" \u00a0\ufeff\u200b\u200e\u200f\u2060")
    return f"'{cell}" if start[:1] and start[0] in STARTS_A_FORMULA else cell


def line(row: Sequence[str | Decimal]) -> str:
    """One row as it stands in the file, in quotes. Text is made `safe`; a number is no text."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(
        [f"{cell:f}" if isinstance(cell, Decimal) else safe(cell) for cell in row]
    )
    return text.getvalue()


def lines(rows: Iterable[Sequence[str | Decimal]]) -> Iterator[str]:
    """A whole file in UTF-8, row by row, with the mark by which spreadsheets know it."""
    yield BYTE_ORDER_MARK
    for row in rows:
        yield line(row)
