"""How search values are written: lists, escapes, prefixes, and the precision of a number."""

import re
from dataclasses import dataclass
from datetime import datetime

from fhirstore.dates import Span, span
from fhirstore.outcome import Refused

_COMPARISON = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.(\d{1,30}))?(?:[eE]([+-]?\d{1,2}))?", re.ASCII)


def bad_value(name: str, needs: str) -> Refused:
    return Refused(400, "value", f"The search parameter `{name}` takes {needs}.")


def split(text: str, separator: str) -> list[str]:
    r"""Parts between separators that are not escaped. Escapes (`\,` `\|` `\$` `\\`) stay in."""
    parts, start, escaped = [], 0, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == separator:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def plain(text: str) -> str:
    """The text without escapes."""
    return re.sub(r"\\([,|$\\])", r"\1", text)


def comparison(text: str) -> tuple[str, str]:
    """("ge", "2020") of "ge2020"; without a prefix, "eq"."""
    match = _COMPARISON.fullmatch(text)
    assert match
    return match[1] or "eq", match[2]


def date(name: str, text: str) -> tuple[str, Span]:
    """A comparison, and the range of time that its date covers."""
    prefix, written = comparison(text)
    try:
        return prefix, span(written.replace(" ", "+"))  # a plus sign that was not percent-encoded
    except ValueError:
        raise bad_value(name, "a date such as 2026-06-01, after an optional prefix such as ge") from None


@dataclass(frozen=True, slots=True)
class Number:
    """A number and, from its last digit, how exactly it was meant: 5.40 is within 0.005."""

    prefix: str
    value: float
    half_step: float


def number(name: str, text: str) -> Number:
    prefix, written = comparison(text)
    match = _NUMBER.fullmatch(written)
    if match is None:
        raise bad_value(name, "a number, after an optional prefix such as gt")
    step = 10.0 ** (int(match[2] or 0) - len(match[1] or ""))
    return Number(prefix, float(written), step / 2)


def is_moment(text: str) -> bool:
    """Whether `text` is a time as our cursors write it."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
