"""What elements of FHIR are called for clinicians, and what their values say. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from fhirproxy import reading

CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
WORDS: Mapping[str, Promise] = {
    "address": pgettext_lazy("element.address", "Address"),
    "authored": pgettext_lazy("element.date", "Date"),
    "category": pgettext_lazy("element.category", "Category"),
    "clinicalStatus": pgettext_lazy("element.clinicalStatus", "Whether it is active"),
    "code": pgettext_lazy("element.code", "What it is"),
    "communication": pgettext_lazy("element.communication", "Languages"),
    "component": pgettext_lazy("element.component", "Measured parts"),
    "contact": pgettext_lazy("element.contact", "Whom to call"),
    "content": pgettext_lazy("element.content", "Content"),
    "criticality": pgettext_lazy("element.criticality", "How dangerous it can be"),
    "dateAsserted": pgettext_lazy("element.date", "Date"),
    "dosage": pgettext_lazy("element.dosage", "How it is taken"),
    "effectiveDateTime": pgettext_lazy("element.effective", "When"),
    "effectivePeriod": pgettext_lazy("element.effective", "When"),
    "encounter": pgettext_lazy("element.encounter", "Visit"),
    "identifier": pgettext_lazy("element.identifier", "Numbers it has elsewhere"),
    "informationSource": pgettext_lazy("element.source", "Who says so"),
    "item": pgettext_lazy("element.item", "Answers"),
    "medicationCodeableConcept": pgettext_lazy("element.medication", "Medicine"),
    "name": pgettext_lazy("element.name", "Name"),
    "note": pgettext_lazy("element.note", "Note"),
    "onsetDateTime": pgettext_lazy("element.onset", "Since when"),
    "patient": pgettext_lazy("element.subject", "Patient"),
    "payload": pgettext_lazy("element.payload", "Message"),
    "performer": pgettext_lazy("element.source", "Who says so"),
    "reaction": pgettext_lazy("element.reaction", "What it does"),
    "reasonCode": pgettext_lazy("element.reason", "Why"),
    "recordedDate": pgettext_lazy("element.date", "Date"),
    "recorder": pgettext_lazy("element.source", "Who says so"),
    "sender": pgettext_lazy("element.source", "Who says so"),
    "series": pgettext_lazy("element.series", "What it belongs to"),
    "severity": pgettext_lazy("element.severity", "How strong it is"),
    "status": pgettext_lazy("element.status", "Status"),
    "subject": pgettext_lazy("element.subject", "Patient"),
    "telecom": pgettext_lazy("element.telecom", "Phone and e-mail"),
    "type": pgettext_lazy("element.type", "Kind"),
    "value": pgettext_lazy("element.value", "What was measured, and when"),
    "valueQuantity": pgettext_lazy("element.quantity", "Value"),
    "verificationStatus": pgettext_lazy("element.verificationStatus", "Whether it is certain"),
}


def words_of(name: str) -> str:
    """Of an element or a group of them; one without words by its own name."""
    plain = name.removeprefix("_")
    return str(WORDS.get(plain, CAMEL.sub(" ", plain).capitalize()))


def said(elements: Mapping[str, Any]) -> list[str]:
    """What elements say, one line for each value."""
    return [line for value in elements.values() for line in _lines(value)]


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _lines(each)
    elif isinstance(value, Mapping):
        yield _one(value)
    else:
        yield str(value)


def _one(value: Mapping[str, Any]) -> str:
    """A value of several elements, as a person would write it."""
    if isinstance(value.get("valueQuantity"), Mapping):  # a component
        return f"{reading.words(value.get('code'))}: {_one(value['valueQuantity'])}"
    if "value" in value and ("unit" in value or "code" in value):  # a Quantity
        return f"{value['value']} {value.get('unit') or value.get('code')}"
    if named := reading.words(value) or reading.display(value):
        return named
    if reference := value.get("reference"):
        return str(reference)
    return ", ".join(line for each in value.values() for line in _lines(each))
