"""Reading FHIR R4 JSON that others wrote: each function takes anything and gives back something usable.

Records come from many systems. A field may be missing, of the wrong type, or nonsense;
then the answer is empty, never an exception.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, TypeVar

LOINC = "http://loinc.org"
_TIME = re.compile(r"^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\S+))?)?)?$")
_KIND_OF_TERM = re.compile(
    r"\s\((?:situation|finding|disorder|procedure|event|substance|product|medicinal product|clinical drug|"
    r"regime/therapy|observable entity|qualifier value|morphologic abnormality|body structure|organism|"
    r"physical object|person|occupation|record artifact|environment)\)$"
)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A FHIR date or dateTime. `at` is in UTC and, for a partial date, the start of it."""

    at: datetime
    precision: str = "day"  # year, month, day, time


class Dated(Protocol):
    @property
    def when(self) -> Moment | None: ...


DatedT = TypeVar("DatedT", bound=Dated)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def newest_first(items: Iterable[DatedT]) -> list[DatedT]:
    """Undated ones last, in the order in which they came."""
    return sorted(items, key=lambda item: item.when.at if item.when else LONG_AGO, reverse=True)


def moment(value: Any) -> Moment | None:
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, time = match.groups()
    try:
        if time:
            at = datetime.fromisoformat(value)
            return Moment((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC), "time")
        at = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return Moment(at, "day" if day else "month" if month else "year")


def number(value: Any) -> Decimal | None:
    """A finite decimal, with the digits it was sent with; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        decimal = Decimal(str(value))
    except InvalidOperation:
        return None
    # Beyond this no laboratory measures, and pictures and texts would only break.
    return decimal if decimal.is_finite() and abs(decimal.adjusted()) < 30 else None


def objects(value: Any, *keys: str) -> list[dict[str, Any]]:
    """The JSON objects at a path, flattened: `objects(resource, "code", "coding")`."""
    found = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    for key in keys:
        found = [item.get(key) for item in found if isinstance(item, dict)]
        found = [part for item in found for part in (item if isinstance(item, list) else [item])]
    return [item for item in found if isinstance(item, dict)]


def first(value: Any, *keys: str) -> dict[str, Any]:
    return next(iter(objects(value, *keys)), {})


def text(value: Any, *keys: str) -> str:
    """The string at a path; "" if there is none."""
    *path, last = keys
    for item in objects(value, *path):
        found = item.get(last)
        found = found[0] if isinstance(found, list) and found else found
        if isinstance(found, str) and found.strip():
            return found.strip()
    return ""


def words(concept: Any) -> str:
    """What a CodeableConcept says in words: its text, else a display of its codes.

    Without the tag at the end of a SNOMED CT name, which says what kind of term it is: " (disorder)".
    """
    for item in objects(concept):
        found = text(item, "text") or text(item, "coding", "display")
        if found:
            return _KIND_OF_TERM.sub("", found)
    return ""


def codes(concept: Any, system: str = "") -> list[str]:
    """The codes of a CodeableConcept, of one system or of all."""
    codings = objects(concept, "coding")
    return [
        code for coding in codings if (code := text(coding, "code")) and system in ("", coding.get("system"))
    ]


def display(reference: Any) -> str:
    """The display of a Reference; never its address."""
    return text(reference, "display")
