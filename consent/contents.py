"""What a FHIR resource says of itself, as far as a provision about particular records asks for it."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from consent.decision import Contents
from consent.vocabulary import codings

# When it happened, in the order in which the elements are looked for (FHIR R4, the `date` search
# parameters of the patient compartment's types). A type that has none of them does not say.
TIMES = tuple(
    re.findall(
        r"\w+",
        """
    effectiveDateTime effectivePeriod effectiveInstant performedDateTime performedPeriod
    occurrenceDateTime occurrencePeriod servicedDate servicedPeriod onsetDateTime onsetPeriod
    period billablePeriod authoredOn authored recordedDate started sent date created issued
    start whenHandedOver recorded
        """,
    )
)
AUTHORS = (
    "author",
    "performer",
    "recorder",
    "asserter",
    "requester",
    "informationSource",
    "sender",
    "enterer",
    "provider",
    "agent",
)
CODES = ("code", "type", "vaccineCode", "medicationCodeableConcept")
FURTHEST = datetime.max.replace(tzinfo=UTC)
FIRST = datetime.min.replace(tzinfo=UTC)


def contents_of(resource: Mapping[str, Any], base: str = "") -> Contents:
    """`base` is the EHR's own address: what it refers to absolutely there counts as relative."""
    return Contents(
        reference=f"{resource.get('resourceType')}/{resource.get('id')}",
        references=frozenset(_references(dict(resource), base)),
        authors=frozenset(r for name in AUTHORS for r in _references(resource.get(name), base)),
        codes=frozenset(f"{s}|{c}" for name in CODES for s, c in codings(resource.get(name))),
        period=next((p for name in TIMES if (p := _period(resource.get(name)))), None),
    )


def _references(value: object, base: str) -> Iterator[str]:
    """Every relative reference in an element, without its version."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            reference = node.get("reference")
            if isinstance(reference, str):
                yield reference.removeprefix(f"{base}/" if base else "").split("/_history/")[0]
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _period(value: object) -> tuple[datetime, datetime] | None:
    """From a dateTime, or a Period; None for what is neither or cannot be read."""
    try:
        if isinstance(value, str):
            return span(value)
        if isinstance(value, dict) and ("start" in value or "end" in value):
            start = span(value["start"])[0] if "start" in value else FIRST
            return start, span(value["end"])[1] if "end" in value else FURTHEST
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def span(text: str) -> tuple[datetime, datetime]:
    """The first and last moment of a FHIR date or dateTime (R4, 2.24.0): "2022" is the whole year.

    A time without a zone counts as UTC. Raises ValueError for what is neither.
    """
    if "T" in text:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment, moment
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    start = datetime(year, month, day, tzinfo=UTC)
    if len(parts) == 3:
        following = start + timedelta(days=1)
    elif len(parts) == 2:
        following = start.replace(year=start.year + parts[1] // 12, month=parts[1] % 12 + 1)
    elif len(parts) == 1:
        following = start.replace(year=start.year + 1)
    else:
        raise ValueError("not a FHIR date")
    return start, following - timedelta(microseconds=1)
