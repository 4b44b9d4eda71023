"""One visit, past or to come: who, where, why, and what belongs to it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from fhirproxy import reading as fhir
from portal.combining import Item, Shown

Line = tuple[str | Promise, str]  # what it is, and what it says
WHO = pgettext_lazy("visit.who", "Who you saw")
WITH = pgettext_lazy("visit.with", "With")
WHERE = pgettext_lazy("visit.where", "Where")
WHY = pgettext_lazy("visit.why", "Reason")
FOUND = pgettext_lazy("visit.found", "What they found")
AFTER = pgettext_lazy("visit.after", "After the visit")
NOT_PLACES = ("Location/", "Patient/", "HealthcareService/")


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whether a resource of the same EHR says that it is of this visit."""

    reference: str
    slug: str

    @classmethod
    def to(cls, visit: Item) -> "Belonging":
        return cls(f"Encounter/{fhir.text(visit.resource, 'id')}", visit.origin.slug)

    def of(self, found: Iterable[Shown]) -> list[Shown]:
        return [shown for shown in found if shown.item.origin.slug == self.slug and self._says(shown)]

    def _says(self, shown: Shown) -> bool:
        resource = shown.item.resource
        named = [
            *fhir.objects(resource, "encounter"),
            *fhir.objects(resource, "context", "encounter"),
        ]
        return any(fhir.text(each, "reference") == self.reference for each in named)


def about_visit(resource: Any, heading: str) -> list[Line]:
    """Encounter (FHIR R4) in lines; what it does not say, or `heading` says already, is left out."""
    reasons = _joined(fhir.words(each) for each in fhir.objects(resource, "reasonCode"))
    diagnoses = [fhir.display(each) for each in fhir.objects(resource, "diagnosis", "condition")]
    people = [fhir.display(each) for each in fhir.objects(resource, "participant", "individual")]
    places = [fhir.display(each) for each in fhir.objects(resource, "location", "location")]
    place = _joined([*places, fhir.display(fhir.first(resource, "serviceProvider"))])
    left = fhir.words(fhir.first(resource, "hospitalization", "dischargeDisposition"))
    return _said(
        (WHY, reasons if reasons != heading else ""),
        (WHO, _joined(people)),
        (WHERE, place),
        (FOUND, _joined(diagnoses)),
        (AFTER, left),
    )


def about_appointment(resource: Any, heading: str) -> list[Line]:
    """Appointment (FHIR R4): with whom, where and why."""
    actors = fhir.objects(resource, "participant", "actor")
    people = [fhir.display(a) for a in actors if not fhir.text(a, "reference").startswith(NOT_PLACES)]
    places = [fhir.display(a) for a in actors if fhir.text(a, "reference").startswith("Location/")]
    reasons = _joined(fhir.words(each) for each in fhir.objects(resource, "reasonCode"))
    return _said(
        (WITH, _joined(people)), (WHERE, _joined(places)), (WHY, reasons if reasons != heading else "")
    )


def instructions(resource: Any) -> list[str]:
    """What the clinic asks for before an appointment, sentence by sentence as it wrote it."""
    return [line.strip() for line in fhir.text(resource, "patientInstruction").splitlines() if line.strip()]


def to_bring() -> list[str]:
    """What helps at any visit."""
    return [
        pgettext("visit.bring.medicines", "A list of your medicines, or the boxes"),
        pgettext("visit.bring.questions", "Your questions, the most important first"),
        pgettext("visit.bring.card", "Your insurance card and a photo ID"),
    ]


def _said(*lines: Line) -> list[Line]:
    return [(label, text) for label, text in lines if text]


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, texts)))
