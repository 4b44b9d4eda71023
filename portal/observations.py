"""From an Observation (FHIR R4) to a `Result` that pages can show. Pure, and never raises on bad records."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from fhirproxy import reading as fhir
from fhirproxy.numbers import number_text, with_fahrenheit
from fhirproxy.reading import Moment
from portal.plain_names import PlainName, plain_name
from portal.where_from import ALONE, WhereFrom, each


class Standing(StrEnum):
    """Where a value stands against the usual range of its lab."""

    IN = "in"
    LOW = "low"
    HIGH = "high"
    UNKNOWN = "unknown"


class Progress(StrEnum):
    PRELIMINARY = "preliminary"
    FINAL = "final"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"  # cancelled, or entered in error: not shown in lists
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Range:
    """One reference range. A missing limit is open, never 0."""

    low: Decimal | None = None
    high: Decimal | None = None
    text: str = ""  # the lab's own words
    kind: str = "normal"  # or who set what: "treatment goal", ...

    @property
    def is_drawable(self) -> bool:
        return self.low is not None or self.high is not None

    def standing(self, value: Decimal) -> Standing:
        if self.low is not None and value < self.low:
            return Standing.LOW
        if self.high is not None and value > self.high:
            return Standing.HIGH
        return Standing.IN if self.is_drawable else Standing.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured or reported thing. Texts are as the source wrote them, except `plain`."""

    id: str
    code: str  # LOINC where there is one
    lab_name: str
    plain: PlainName | None
    value: Decimal | None  # only for a single number without "<" or ">"
    value_text: str  # with unit; "" if there is no value
    exact_text: str  # the same with every decimal that was sent
    unit: str
    range: Range | None  # the usual range, where exactly one fits
    range_text: str  # the lab's words, where none or several fit
    goals: tuple[Range, ...]
    standing: Standing
    is_flagged: bool  # the lab marked it, without saying which side
    is_urgent: bool  # the lab marked it to look at soon
    lab_disagrees: bool  # the lab's mark and its range say different things
    progress: Progress
    when: Moment | None
    source: str
    method: str
    absent_reason: str
    note: str
    parts: tuple["Result", ...]  # components, such as the two numbers of a blood pressure
    ucum: str = ""  # the unit's code in UCUM, where there is one
    is_of_a_lab: bool = False
    is_signed: bool = False  # a person of the clinic stands in it, as performer or by a note
    is_held: bool = False  # the reader wants to be asked first: `portal.ask_first`
    origin: WhereFrom = ALONE

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own, and those of the same result in other EHRs."""
        return self.id, *(other.address for other in self.origin.also)

    @property
    def name(self) -> object:
        """The plain name in the reader's language, or the lab's name."""
        return self.plain.name if self.plain else self.lab_name

    @property
    def shown(self) -> str:
        """The value as a list shows it; of a panel, its parts: "128 / 82 mmHg"."""
        parts = [part for part in self.parts if part.value_text]
        if self.value_text or not parts:
            return self.value_text
        numbers = [number_text(part.value) for part in parts if part.value is not None]
        if len({part.unit for part in parts}) == 1 and len(numbers) == len(parts):
            return f"{' / '.join(numbers)} {parts[0].unit}".strip()
        return ", ".join(part.value_text for part in parts)

    @property
    def is_outside(self) -> bool:
        """Outside the usual range, or marked by the lab; of a panel, any of its parts."""
        return (
            self.standing in (Standing.LOW, Standing.HIGH)
            or self.is_flagged
            or self.is_urgent
            or any(part.is_outside for part in self.parts)
        )

    @property
    def is_drawable(self) -> bool:
        """A number line may be drawn: a plain number, a range, and no contradiction."""
        return (
            self.value is not None
            and self.range is not None
            and self.range.is_drawable
            and not self.lab_disagrees
        )


PROGRESS = {
    "registered": Progress.PRELIMINARY,
    "preliminary": Progress.PRELIMINARY,
    "final": Progress.FINAL,
    "amended": Progress.CORRECTED,
    "corrected": Progress.CORRECTED,
    "cancelled": Progress.WITHDRAWN,
    "entered-in-error": Progress.WITHDRAWN,
}
YES, NO = pgettext_lazy("value.yes", "Yes"), pgettext_lazy("value.no", "No")
# HL7 v3 ObservationInterpretation
LOW_CODES = {"L", "LL", "LU", "<"}
HIGH_CODES = {"H", "HH", "HU", ">"}
FLAG_CODES = {"A", "AA", "POS", "DET", "IND", "R", "W"}
URGENT_CODES = {"HH", "LL", "AA"}
SAID_FIRST = {"8480-6": 0, "8462-4": 1}  # LOINC: systolic before diastolic
UNITS: dict[str, str | Promise] = {  # UCUM codes that people do not read
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
    "[in_i]": "in",
    "[lb_av]": "lb",
    "/min": pgettext_lazy("unit.per_minute", "per minute"),
    "10*3/uL": "×10³/µL",
    "10*6/uL": "×10⁶/µL",
    "mL/min/1.73m2": "mL/min/1.73 m²",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²",
    "kg/m2": "kg/m²",
    "{score}": "",
    "{#}": "",
    "1": "",
}


def read(resource: Any) -> Result:
    """Read one Observation, or one of its components."""
    concept = fhir.first(resource, "code")
    loinc = fhir.codes(concept, fhir.LOINC)
    plain = next(filter(None, map(plain_name, loinc)), None)
    value, value_text, exact_text, unit = _value(resource)
    usual, range_text, goals = _ranges(resource, unit)
    standing, flagged, urgent, disagrees = _interpret(resource, value, usual)
    parts = _parts(resource)
    return Result(
        id=fhir.text(resource, "id"),
        code=next(iter(loinc or fhir.codes(concept)), ""),
        lab_name=fhir.words(concept),
        plain=plain,
        value=value,
        value_text=value_text,
        exact_text=exact_text,
        unit=unit,
        range=usual,
        range_text=range_text,
        goals=goals,
        standing=standing,
        is_flagged=flagged,
        is_urgent=urgent or any(part.is_urgent for part in parts),
        lab_disagrees=disagrees,
        progress=PROGRESS.get(fhir.text(resource, "status"), Progress.UNKNOWN),
        when=_when(resource),
        source=fhir.display(fhir.first(resource, "performer")),
        method=fhir.words(fhir.first(resource, "method")),
        absent_reason=fhir.words(fhir.first(resource, "dataAbsentReason")),
        note=fhir.text(resource, "note", "text"),
        parts=parts,
        ucum=_ucum(resource),
        is_of_a_lab=any("laboratory" in fhir.codes(item) for item in fhir.objects(resource, "category")),
        is_signed=bool(fhir.objects(resource, "note"))
        or any(map(_is_person, fhir.objects(resource, "performer"))),
    )


def _is_person(reference: Any) -> bool:
    kind = fhir.text(reference, "type") or fhir.text(reference, "reference").rpartition("/")[0]
    return kind.rpartition("/")[2] in ("Practitioner", "PractitionerRole", "CareTeam")


def _ucum(resource: Any) -> str:
    quantity = fhir.first(resource, "valueQuantity")
    is_ucum = quantity.get("system") == "http://unitsofmeasure.org"
    return fhir.text(quantity, "code") if is_ucum else ""


def _parts(resource: Any) -> tuple[Result, ...]:
    """Components, one level deep; the two of a blood pressure in the order in which people say them."""
    parts = [read({**part, "component": None}) for part in fhir.objects(resource, "component")]
    return tuple(sorted(parts, key=lambda part: SAID_FIRST.get(part.code, len(SAID_FIRST))))


def read_all(resources: Iterable[Any]) -> list[Result]:
    """Results that stand, newest first; undated ones last. Of resources, or of what was combined."""
    results = [
        replace(one, id=address or one.id, origin=origin)
        for resource, address, origin in each(resources)
        for one in [read(resource)]
    ]
    shown = [result for result in results if result.progress != Progress.WITHDRAWN]
    return fhir.newest_first(shown)


def _when(resource: Any) -> Moment | None:
    period = fhir.first(resource, "effectivePeriod")
    candidates = (
        fhir.text(resource, "effectiveDateTime"),
        fhir.text(resource, "effectiveInstant"),
        fhir.text(period, "start"),
        fhir.text(period, "end"),
        fhir.text(resource, "issued"),
    )
    return next(filter(None, map(fhir.moment, candidates)), None)


def _value(resource: Any) -> tuple[Decimal | None, str, str, str]:
    """(number if it is one, text with unit, the same with every decimal, unit)."""
    quantity = fhir.first(resource, "valueQuantity")
    if quantity:
        number, unit = fhir.number(quantity.get("value")), _unit(quantity)
        comparator = fhir.text(quantity, "comparator")
        shown, exact = quantity_text(number, unit, comparator), exact_text(number, unit, comparator)
        if unit == UNITS["Cel"] and number is not None and not comparator:
            shown = with_fahrenheit(shown, number)
        return (None if comparator else number), shown, exact, unit
    fields = resource if isinstance(resource, dict) else {}
    if isinstance(fields.get("valueInteger"), int) and not isinstance(fields["valueInteger"], bool):
        text = str(fields["valueInteger"])
        return Decimal(fields["valueInteger"]), text, text, ""
    text = _other_value(fields)
    return None, text, text, ""


def _other_value(fields: dict[str, Any]) -> str:
    if isinstance(fields.get("valueBoolean"), bool):
        return str(YES if fields["valueBoolean"] else NO)
    low, high = (_quantity_text(fhir.first(fields, "valueRange", end)) for end in ("low", "high"))
    above, below = (_quantity_text(fhir.first(fields, "valueRatio", n)) for n in ("numerator", "denominator"))
    return (
        fhir.words(fhir.first(fields, "valueCodeableConcept"))
        or fhir.text(fields, "valueString")
        or " - ".join(filter(None, (low, high)))
        or ":".join(filter(None, (above, below)))
        or fhir.text(fields, "valueDateTime")
        or fhir.text(fields, "valueTime")
    )


def _quantity_text(quantity: dict[str, Any]) -> str:
    return quantity_text(
        fhir.number(quantity.get("value")), _unit(quantity), fhir.text(quantity, "comparator")
    )


def quantity_text(number: Decimal | None, unit: str, comparator: str = "") -> str:
    """As the lab sent it, with a decimal point in every language: "118 mg/dL", "<5 %"."""
    return "" if number is None else f"{comparator}{number_text(number)} {unit}".strip()


def exact_text(number: Decimal | None, unit: str, comparator: str = "") -> str:
    return "" if number is None else f"{comparator}{number:f} {unit}".strip()


def _unit(quantity: dict[str, Any]) -> str:
    code = fhir.text(quantity, "code")
    unit = fhir.text(quantity, "unit") or code
    return str(UNITS.get(unit, unit)).replace("[IU]", "IU").strip("{}")


def _ranges(resource: Any, unit: str) -> tuple[Range | None, str, tuple[Range, ...]]:
    """(the usual range if exactly one fits, else the lab's words, ranges of other kinds)."""
    usual: list[Range] = []
    goals: list[Range] = []
    for item in fhir.objects(resource, "referenceRange"):
        kinds = fhir.codes(item.get("type"))
        named = fhir.words(item.get("type"))
        one = Range(
            _limit(item, "low", unit),
            _limit(item, "high", unit),
            fhir.text(item, "text"),
            "normal" if not kinds or "normal" in kinds else named or kinds[0],
        )
        if one.low is not None and one.high is not None and one.low > one.high:
            one = Range(text=one.text, kind=one.kind)
        # Who it applies to (sex, age) we cannot check here, so such a range only speaks if it stands alone.
        (usual if one.kind == "normal" else goals).append(one)
    drawable = {(r.low, r.high) for r in usual if r.is_drawable}
    words = "; ".join(dict.fromkeys(r.text or limits_text(r) for r in usual if r.text or r.is_drawable))
    chosen = next((r for r in usual if r.is_drawable), None) if len(drawable) == 1 else None
    return chosen, words, tuple(r for r in goals if r.is_drawable)


def limits_text(one: Range) -> str:
    low, high = (None if x is None else number_text(x) for x in (one.low, one.high))
    if low is not None and high is not None:
        return f"{low} - {high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else ""


def _limit(item: dict[str, Any], end: str, unit: str) -> Decimal | None:
    quantity = fhir.first(item, end)
    limit_unit = _unit(quantity)
    if limit_unit and unit and limit_unit.lower() != unit.lower():
        return None  # a limit in another unit says nothing about this value
    return fhir.number(quantity.get("value"))


def _interpret(
    resource: Any, value: Decimal | None, usual: Range | None
) -> tuple[Standing, bool, bool, bool]:
    """(standing, flagged without a side, urgent, mark and range contradict). The lab's word wins."""
    marks = {code for item in fhir.objects(resource, "interpretation") for code in fhir.codes(item)}
    computed = usual.standing(value) if usual and value is not None else Standing.UNKNOWN
    urgent = bool(marks & URGENT_CODES)
    given = (
        Standing.LOW
        if marks & LOW_CODES
        else Standing.HIGH
        if marks & HIGH_CODES
        else Standing.IN
        if "N" in marks
        else None
    )
    if given is not None:
        return given, False, urgent, Standing.UNKNOWN != computed != given
    flagged = bool(marks & FLAG_CODES)
    return computed, flagged, urgent, flagged and computed == Standing.IN
