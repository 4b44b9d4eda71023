"""Whether a JSON value is a primitive of FHIR (R4, 2.24.0.1)."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

Test = Callable[[Any], bool]

_YEAR = r"[0-9]{4}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"


def _text(pattern: str) -> Test:
    """Codes, dates and ids repeat; those that were seen are not matched again."""
    matches = re.compile(pattern, re.ASCII).fullmatch

    @lru_cache(maxsize=4096)
    def known(value: str) -> bool:
        return matches(value) is not None

    def test(value: Any) -> bool:
        return type(value) is str and (known(value) if len(value) < 65 else matches(value) is not None)

    return test


def _is_string(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _is_decimal(value: Any) -> bool:
    return type(value) is int or type(value) is msgspec.Raw


def _whole(least: int) -> Test:
    return lambda value: type(value) is int and least <= value < 2**31


_is_uri = _text(r"\S*")

TESTS: dict[str, Test] = {
    "base64Binary": _is_string,
    "boolean": _is_boolean,
    "canonical": _is_uri,
    "code": _text(r"\S+(?: \S+)*"),
    "date": _text(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?"),
    "dateTime": _text(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?"),
    "decimal": _is_decimal,
    "id": _text(r"[A-Za-z0-9\-.]{1,64}"),
    "instant": _text(rf"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}"),
    "integer": _whole(-(2**31)),
    "markdown": _is_string,
    "oid": _text(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "positiveInt": _whole(1),
    "string": _is_string,
    "time": _text(_TIME),
    "unsignedInt": _whole(0),
    "uri": _is_uri,
    "url": _is_uri,
    "uuid": _text(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "xhtml": _is_string,
}

# What a value should have been, for the message.
NEEDS = {
    "boolean": "true or false",
    "date": "a date such as 2026, 2026-06 or 2026-06-01",
    "dateTime": "a date, or a time with seconds and zone, such as 2026-06-01T09:30:00Z",
    "decimal": "a number",
    "id": "1 to 64 letters, digits, hyphens and dots",
    "instant": "a time with seconds and zone, such as 2026-06-01T09:30:00.000Z",
    "integer": "a whole number",
    "positiveInt": "a whole number from 1",
    "unsignedInt": "a whole number from 0",
    "time": "a time of day such as 09:30:00",
}
