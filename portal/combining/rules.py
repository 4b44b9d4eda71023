"""When two records of different EHRs are the same thing (docs/adr/0011). Pure.

Two are shown as one only where they are known to be the same and a page would say the same of both:

- same thing: they share a business identifier (system and value) and a code; or, by type, the same
  code of a shared system with
    Observation          the same time, or day where one gives no more, and the same value and unit
    MedicationRequest    RxNorm
    MedicationStatement  RxNorm
    AllergyIntolerance   (the code alone)
    Immunization         CVX, on the same day
    Condition            SNOMED CT or ICD-10, with the same onset
- the same words: status, value, dose, reaction and so on are the same, or one of them is silent.

Never by their text alone, and never what was entered in error or is from the same EHR.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhirproxy import reading as fhir

SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10, CVX = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/cvx"
NDC = "http://hl7.org/fhir/sid/ndc"
SHARED = frozenset({fhir.LOINC, SNOMED, RXNORM, ICD10, "http://hl7.org/fhir/sid/icd-10", CVX, NDC})
DRUGS = ("MedicationRequest", "MedicationStatement")
# By which code systems a type is compared: one that says less than the thing itself is no proof.
COMPARED: Mapping[str, frozenset[str]] = {
    "Observation": frozenset({fhir.LOINC, SNOMED}),
    **dict.fromkeys(DRUGS, frozenset({RXNORM})),
    "AllergyIntolerance": frozenset({SNOMED, RXNORM}),
    "Immunization": frozenset({CVX}),
    "Condition": frozenset({SNOMED, ICD10, "http://hl7.org/fhir/sid/icd-10"}),
}
CODE_AT: Mapping[str, str] = {
    **dict.fromkeys(DRUGS, "medicationCodeableConcept"),
    "Immunization": "vaccineCode",
    "Encounter": "type",
    "DocumentReference": "type",
    "Appointment": "serviceType",
}
WRONG = frozenset({"entered-in-error"})
Key = tuple[Any, ...]


def identifier_keys(resource: Any) -> Iterator[Key]:
    """One for each business identifier; a number without the system that gave it names nothing."""
    kind = fhir.text(resource, "resourceType")
    for identifier in fhir.objects(resource, "identifier"):
        system, value = fhir.text(identifier, "system"), fhir.text(identifier, "value")
        if ":" in system and value:
            yield "identifier", kind, system, value


def rule_keys(resource: Any) -> Iterator[Key]:
    """What must be the same by the rule of its type; none where it says too little to tell."""
    kind = fhir.text(resource, "resourceType")
    if kind == "Observation":
        day, value = _day(resource), _value(resource)
        rest: Key | None = (day, value) if day and value else None
    elif kind == "Immunization":
        day = fhir.text(resource, "occurrenceDateTime")[:10]
        rest = (day,) if len(day) == 10 else None
    elif kind == "Condition":
        onset = fhir.text(resource, "onsetDateTime")[:10]
        rest = (onset,) if onset else None
    elif kind in COMPARED:
        rest = ()
    else:
        rest = None
    if rest is not None:
        for system, code in sorted(codes(resource)):
            if system in COMPARED[kind]:
                yield "rule", kind, system, code, *rest


def same_words(one: Any, other: Any) -> bool:
    """Whether a page would say the same of both, as far as both say something."""
    if _is_wrong(one) or _is_wrong(other):
        return False
    mine, theirs = codes(one), codes(other)
    if mine and theirs and not mine & theirs:
        return False  # an order's number stands on each of its results
    if not _same_time(one, other):
        return False
    return said_of(one)[0] == said_of(other)[0] and all(
        not a or not b or a == b for a, b in zip(said_of(one)[1:], said_of(other)[1:], strict=True)
    )


def said_of(resource: Any) -> tuple[Key, ...]:
    """The status, and then what a page tells besides; an empty one is silence."""
    status = (
        fhir.text(resource, "status"),
        *sorted(fhir.codes(fhir.first(resource, "clinicalStatus"))),
        *sorted(fhir.codes(fhir.first(resource, "verificationStatus"))),
    )
    kind = fhir.text(resource, "resourceType")
    if kind == "Observation":
        return status, _value(resource), _marks(resource), _notes(resource)
    if kind in DRUGS:
        return status, _doses(resource), _notes(resource)
    if kind == "AllergyIntolerance":
        return status, _plain(resource, "criticality"), _reactions(resource), _notes(resource)
    if kind == "Condition":
        return status, _plain(resource, "abatementDateTime"), _notes(resource)
    title = fhir.text(resource, "content", "attachment", "title") or fhir.text(resource, "description")
    return status, _text(title), _plain(resource, "conclusion"), _notes(resource)


def codes(resource: Any) -> frozenset[tuple[str, str]]:
    """(system, code) of shared systems by which it is named."""
    element = CODE_AT.get(fhir.text(resource, "resourceType"), "code")
    codings = fhir.objects(resource, element, "coding")
    pairs = ((fhir.text(c, "system"), fhir.text(c, "code")) for c in codings)
    return frozenset((system, code) for system, code in pairs if system in SHARED and code)


def _is_wrong(resource: Any) -> bool:
    verification = fhir.codes(fhir.first(resource, "verificationStatus"))
    return bool(WRONG & {fhir.text(resource, "status"), *verification})


def _time(resource: Any) -> str:
    names = ("effectiveDateTime", "effectiveInstant", "occurrenceDateTime", "start", "date")
    found = next(filter(None, (fhir.text(resource, name) for name in names)), "")
    period = fhir.first(resource, "effectivePeriod") or fhir.first(resource, "period")
    return found or fhir.text(period, "start")


def _day(resource: Any) -> str:
    """The day as it was written where it was taken; "" where there is none."""
    return _time(resource)[:10] if len(_time(resource)) >= 10 else ""


def _same_time(one: Any, other: Any) -> bool:
    mine, theirs = fhir.moment(_time(one)), fhir.moment(_time(other))
    if mine is None or theirs is None:
        return True
    if mine.precision == theirs.precision == "time":
        return mine.at == theirs.at
    return _time(one)[:10] == _time(other)[:10]


def _value(resource: Any) -> Key:
    """What was found, in a form that compares: 5.40 is 5.4. Empty where there is nothing to compare."""
    own = _own_value(resource)
    inside = []
    for part in fhir.objects(resource, "component"):
        inside.append((tuple(sorted(fhir.codes(fhir.first(part, "code")))), _own_value(part)))
    return (own, *sorted(inside, key=repr)) if own or inside else ()


def _own_value(resource: Any) -> Key:
    quantity = fhir.first(resource, "valueQuantity")
    number = fhir.number(quantity.get("value")) if quantity else None
    if number is not None:
        unit = fhir.text(quantity, "code") or fhir.text(quantity, "unit")
        return "quantity", _plain_number(number), unit, fhir.text(quantity, "comparator")
    fields = resource if isinstance(resource, Mapping) else {}
    if coded := fhir.codes(fields.get("valueCodeableConcept")):
        return "code", *sorted(coded)
    names = (name for name in sorted(fields) if name.startswith("value"))
    found = {name: fields[name] for name in names if fields[name] not in (None, "", {}, [])}
    return ("other", _text(repr(found))) if found else ()


def _plain_number(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else "0"


def _marks(resource: Any) -> Key:
    marks = (code for item in fhir.objects(resource, "interpretation") for code in fhir.codes(item))
    return tuple(sorted(marks))


def _doses(resource: Any) -> Key:
    lines = fhir.objects(resource, "dosageInstruction") or fhir.objects(resource, "dosage")
    said = (fhir.text(line, "patientInstruction") or fhir.text(line, "text") for line in lines)
    return tuple(sorted(_text(line)[0] for line in said if line))


def _reactions(resource: Any) -> Key:
    found = fhir.objects(resource, "reaction", "manifestation")
    return tuple(sorted({_text(fhir.words(one))[0] for one in found if fhir.words(one)}))


def _notes(resource: Any) -> Key:
    found = (fhir.text(note, "text") for note in fhir.objects(resource, "note"))
    return tuple(sorted(_text(note)[0] for note in found if note))


def _plain(resource: Any, name: str) -> Key:
    return _text(fhir.text(resource, name))


def _text(text: str) -> Key:
    return (" ".join(text.casefold().split()),) if text.strip() else ()
