"""Dates of a search as conditions on columns that hold ranges of time (R4, 3.1.1.4.7 and 3.1.1.4.5.1)."""

from datetime import UTC, datetime
from typing import Any

from fhirstore.dates import BEGINNING, END, Span
from fhirstore.search import values

Condition = tuple[str, list[Any]]

# Says nothing new: with it, the index on ranges finds the few that touch a short time among all the others.
TOUCHES = (
    "tstzrange(LEAST({r}.date_low, {r}.date_high), GREATEST({r}.date_low, {r}.date_high), '[]')"
    " && tstzrange(%s, %s, '[]')"
)


def bounds(date: tuple[str, Span]) -> Span:
    """A range that everything with such a date touches."""
    prefix, (start, end) = date
    if prefix == "ap":
        slack = abs(datetime.now(UTC) - start) * 0.1
        return start - slack, end + slack
    lows = {"eq": start, "ge": start, "gt": end, "sa": end}
    highs = {"eq": end, "le": end, "lt": start, "eb": start}
    return lows.get(prefix, BEGINNING), highs.get(prefix, END)


def compare(low: str, high: str, date: tuple[str, Span]) -> Condition:
    """A range of time [low, high) against a searched one (R4, 3.1.1.4.7 and 3.1.1.4.5.1)."""
    prefix, (start, end) = date
    if prefix == "ap":
        slack = abs(datetime.now(UTC) - start) * 0.1
        try:
            return f"({low} < %s AND {high} > %s)", [end + slack, start - slack]
        except OverflowError:
            raise values.bad_value("date", "a date nearer to today with the prefix ap") from None
    within = f"{low} >= %s AND {high} <= %s"
    return {
        # The last condition follows from the others; with it, an index on `low` has both ends.
        "eq": (f"({within} AND {low} < %s)", [start, end, end]),
        "ne": (f"NOT ({within})", [start, end]),
        "gt": (f"{high} > %s", [end]),
        "ge": (f"({high} > %s OR ({within}))", [end, start, end]),
        "lt": (f"{low} < %s", [start]),
        "le": (f"({low} < %s OR ({within}))", [start, start, end]),
        "sa": (f"{low} >= %s", [end]),
        "eb": (f"{high} <= %s", [start]),
    }[prefix]


def compare_moment(column: str, date: tuple[str, Span]) -> Condition:
    """`last_updated`, one moment, against a searched range of time."""
    prefix, (start, end) = date
    if prefix == "ap":
        raise values.bad_value("_lastUpdated", "a date without the prefix ap")
    return {
        "eq": (f"({column} >= %s AND {column} < %s)", [start, end]),
        "ne": (f"({column} < %s OR {column} >= %s)", [start, end]),
        "gt": (f"{column} >= %s", [end]),
        "sa": (f"{column} >= %s", [end]),
        "ge": (f"{column} >= %s", [start]),
        "lt": (f"{column} < %s", [start]),
        "eb": (f"{column} < %s", [start]),
        "le": (f"{column} < %s", [end]),
    }[prefix]
