"""FHIR dates as the ranges of time they cover (R4, 3.1.1.4.7)."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from django.utils import timezone

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)  # stands for "no start"
END = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)  # stands for "no end"

Span = tuple[datetime, datetime]  # low inclusive, high exclusive

_PATTERN = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


@lru_cache(maxsize=65536)
def span(text: str) -> Span:
    """The range that a date, dateTime or instant covers, in UTC; a value without an offset is read
    in the clinic's time zone. Raises ValueError for anything else."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("not a FHIR date")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    moment = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),  # a leap second counts as the one before it
        int(f"{fraction[1:7]:<06}") if fraction else 0,
        tzinfo=_zone(offset),
    )
    return _utc(moment), _utc(_after(moment, match))


def _zone(offset: str | None) -> tzinfo:
    if offset is None:
        return timezone.get_default_timezone()
    if offset == "Z":
        return UTC
    if int(offset[1:3]) > 14 or int(offset[4:6]) > 59:
        raise ValueError("no such offset")
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return timezone.get_fixed_timezone(-minutes if offset[0] == "-" else minutes)


def _after(moment: datetime, match: re.Match[str]) -> datetime:
    """The first moment behind the range, by the precision that was written."""
    _, month, day, hour, _, second, fraction, _ = match.groups()
    try:
        if fraction:
            return moment + timedelta(microseconds=10 ** (6 - min(len(fraction) - 1, 6)))
        if hour:
            return moment + (timedelta(seconds=1) if second else timedelta(minutes=1))
        if day:
            return moment + timedelta(days=1)
        if month:
            return (moment.replace(day=1) + timedelta(days=32)).replace(day=1)
        return moment.replace(year=moment.year + 1)
    except (OverflowError, ValueError):
        return END


def _utc(moment: datetime) -> datetime:
    try:
        return min(max(moment.astimezone(UTC), BEGINNING), END)
    except OverflowError:
        return BEGINNING if moment.year == 1 else END


def instant(moment: datetime) -> str:
    """A FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
