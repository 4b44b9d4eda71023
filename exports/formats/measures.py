"""Observations as measures: one for each value, a component's too, with every decimal that was sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import pgettext

from exports.formats.about import Resource
from fhirproxy.reading import LOINC, Moment, codes, first, moment, number, objects, text, words

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Measure:
    """Texts are as the source wrote them. `number` only where the value is one."""

    name: str
    code: str  # LOINC where there is one
    value: str
    number: Decimal | None
    comparator: str  # "<", ">=" …
    unit: str
    range: str
    mark: str  # the laboratory's, in its codes
    ucum: str  # the unit's code in UCUM, where there is one
    concept: dict[str, Any]  # the code as it was sent
    panel: str = ""  # of a component: the name of what it is a part of

    @property
    def said(self) -> str:
        return f"{self.comparator}{self.value} {self.unit}".strip()


def measures(resource: Resource) -> Iterator[Measure]:
    """The values of an Observation, its own first; one without a value if it has none."""
    parts = objects(resource.get("component"))
    own = _measure(resource)
    if own.value or not parts:
        yield own
    for part in parts:
        yield _measure(part, own.name)


def when(resource: Resource) -> str:
    """The FHIR date or dateTime at which it was measured, as it was written; "" if nobody wrote it."""
    period = first(resource, "effectivePeriod")
    return (
        text(resource, "effectiveDateTime")
        or text(resource, "effectiveInstant")
        or text(period, "start")
        or text(period, "end")
        or text(resource, "issued")
    )


def moment_of(resource: Resource) -> Moment | None:
    return moment(when(resource))


def _measure(item: Any, panel: str = "") -> Measure:
    concept = first(item, "code")
    quantity = first(item, "valueQuantity")
    exact = number(quantity.get("value")) if quantity else None
    if not quantity and isinstance(item.get("valueInteger"), int):
        exact = number(item["valueInteger"])
    return Measure(
        name=words(concept) or next(iter(codes(concept)), ""),
        code=next(iter(codes(concept, LOINC) or codes(concept)), ""),
        value=f"{exact:f}" if exact is not None else _other(item),
        number=exact,
        comparator=text(quantity, "comparator"),
        unit=text(quantity, "unit") or text(quantity, "code"),
        range="; ".join(filter(None, map(_range, objects(item, "referenceRange")))),
        mark=" ".join(code for mark in objects(item, "interpretation") for code in codes(mark)),
        ucum=text(quantity, "code") if quantity.get("system") == UCUM else "",
        concept=concept,
        panel=panel,
    )


def _other(item: Any) -> str:
    """A value that is no number: words, a span, a ratio, a time; or why there is none."""
    if isinstance(item.get("valueBoolean"), bool):
        return pgettext("value.yes", "Yes") if item["valueBoolean"] else pgettext("value.no", "No")
    span = [_amount(first(item, "valueRange", end)) for end in ("low", "high")]
    ratio = [_amount(first(item, "valueRatio", part)) for part in ("numerator", "denominator")]
    return (
        words(first(item, "valueCodeableConcept"))
        or text(item, "valueString")
        or " - ".join(filter(None, span))
        or ":".join(filter(None, ratio))
        or text(item, "valueDateTime")
        or text(item, "valueTime")
        or text(first(item, "valuePeriod"), "start")
        or words(first(item, "dataAbsentReason"))
    )


def _amount(quantity: Any) -> str:
    exact = number(first(quantity).get("value"))
    if exact is None:
        return ""
    unit = text(quantity, "unit") or text(quantity, "code")
    return f"{text(quantity, 'comparator')}{exact:f} {unit}".strip()


def _range(item: Any) -> str:
    """A reference range in the laboratory's words, else its limits."""
    low, high = (_amount(first(item, end)) for end in ("low", "high"))
    both = f"{low} - {high}" if low and high else ""
    return text(item, "text") or both or (f"≥ {low}" if low else f"≤ {high}" if high else "")
