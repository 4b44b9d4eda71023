"""What the rows of a summary say, type by type: plain texts, as the source wrote them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from exports.formats.about import Resource
from exports.formats.measures import measures, when
from exports.formats.records import Records
from fhirproxy.dates import date_words, time_words
from fhirproxy.reading import LONG_AGO, codes, first, moment, objects, text, words

Cells = tuple[str, ...]
# Where a record says when it was, the first one that speaks.
DATES = (
    *("onsetDateTime", "recordedDate", "occurrenceDateTime", "performedDateTime", "authoredOn"),
    *("effectiveDateTime", "started", "startDate", "start", "date", "created", "issued"),
)
PERIODS = ("effectivePeriod", "performedPeriod", "onsetPeriod", "period", "servicedPeriod")


def dated(resource: Resource) -> str:
    """The FHIR date that a row shows, as it was written; "" if there is none."""
    if resource.get("resourceType") == "Observation":
        return when(resource)
    said = next(filter(None, (text(resource, name) for name in DATES)), "")
    return said or next(filter(None, (text(first(resource, name), "start") for name in PERIODS)), "")


def age(resource: Resource) -> tuple[bool, float]:
    """A key that sorts records by time; undated ones are the oldest."""
    known = moment(dated(resource))
    return known is not None, (known.at if known else LONG_AGO).timestamp()


def plain_columns() -> Cells:
    return (
        pgettext("summary.col.what", "What"),
        pgettext("summary.col.date", "Date"),
        pgettext("summary.col.status", "Status"),
        pgettext("summary.col.more", "More"),
    )


def medicine_columns() -> Cells:
    return (
        pgettext("summary.col.medicine", "Medicine"),
        pgettext("summary.col.how", "How to take it"),
        pgettext("summary.col.status", "Status"),
        pgettext("summary.col.since", "Since"),
    )


def allergy_columns() -> Cells:
    return (
        pgettext("summary.col.allergy", "Allergy"),
        pgettext("summary.col.reaction", "Reaction"),
        pgettext("summary.col.status", "Status"),
        pgettext("summary.col.since", "Since"),
    )


def measure_columns() -> Cells:
    return (
        pgettext("results.csv.name", "Test or measure"),
        pgettext("results.csv.value", "Value"),
        pgettext("results.csv.range", "Usual range"),
        pgettext("summary.col.date", "Date"),
    )


def rows(records: Records, resource: Resource) -> Iterator[Cells]:
    """The rows of one record. A record of the wrong shape gives a row with what can be read of it."""
    kind = str(resource.get("resourceType"))
    if kind == "Observation":
        return _measured(resource)
    return iter([ROWS.get(kind, _plain)(records, resource)])


def _measured(resource: Resource) -> Iterator[Cells]:
    at = time_words(moment(when(resource)))
    for measure in measures(resource):
        name = f"{measure.panel}: {measure.name}" if measure.panel else measure.name
        said = f"{measure.said} ({measure.mark})" if measure.mark else measure.said
        yield name or unnamed(), said, measure.range, at


def _medicine(records: Records, resource: Resource) -> Cells:
    dosages = objects(resource, "dosageInstruction") or objects(resource, "dosage")
    how = [text(dose, "text") or text(dose, "patientInstruction") or _dose(dose) for dose in dosages]
    return medicine_name(records, resource), "; ".join(filter(None, how)), _status(resource), _date(resource)


def medicine_name(records: Records, resource: Resource) -> str:
    concept = first(resource, "medicationCodeableConcept")
    referred = records.name(resource, first(resource, "medicationReference"))
    return words(concept) or referred or next(iter(codes(concept)), "") or unnamed()


def _dose(dose: Any) -> str:
    """A dose that has no words: "1 tablet, 2 / 1 d, oral"."""
    quantity = first(dose, "doseAndRate", "doseQuantity")
    often = first(dose, "timing", "repeat")
    amount = f"{quantity.get('value', '')} {text(quantity, 'unit')}".strip()
    times = "{frequency} / {period} {periodUnit}".format_map(often) if _whole(often) else ""
    return ", ".join(filter(None, (amount, times, words(first(dose, "route")))))


def _whole(often: Mapping[str, Any]) -> bool:
    return {"frequency", "period", "periodUnit"} <= set(often)


def _allergy(records: Records, resource: Resource) -> Cells:
    reactions = [words(m) for r in objects(resource, "reaction") for m in objects(r, "manifestation")]
    return _name(resource), ", ".join(filter(None, reactions)), _status(resource), _date(resource)


def _vaccine(records: Records, resource: Resource) -> Cells:
    more = records.name(resource, first(resource, "performer", "actor"))
    return _name(resource, "vaccineCode"), _date(resource), _status(resource), more


def _family(records: Records, resource: Resource) -> Cells:
    found = ", ".join(filter(None, (words(first(c, "code")) for c in objects(resource, "condition"))))
    return _name(resource, "relationship"), _date(resource), _status(resource), found


def _visit(records: Records, resource: Resource) -> Cells:
    places = [records.name(resource, first(p, "location")) for p in objects(resource, "location")]
    people = [records.name(resource, first(p, "individual")) for p in objects(resource, "participant")]
    name = words(first(resource, "type")) or text(resource, "class", "display")
    more = ", ".join(filter(None, (*people, *places)))
    return name or unnamed(), _date(resource), _status(resource), more


def _appointment(records: Records, resource: Resource) -> Cells:
    people = [records.name(resource, first(p, "actor")) for p in objects(resource, "participant")]
    name = text(resource, "description") or words(first(resource, "serviceType"))
    at = time_words(moment(text(resource, "start")))
    return name or unnamed(), at, _status(resource), ", ".join(filter(None, people))


def _team(records: Records, resource: Resource) -> Cells:
    people = [
        ", ".join(filter(None, (records.name(resource, first(p, "member")), words(first(p, "role")))))
        for p in objects(resource, "participant")
    ]
    return (
        text(resource, "name") or unnamed(),
        _date(resource),
        _status(resource),
        "; ".join(filter(None, people)),
    )


def _coverage(records: Records, resource: Resource) -> Cells:
    payer = records.name(resource, first(resource, "payor"))
    kind = words(first(resource, "type")) or payer or unnamed()
    return kind, _date(resource), _status(resource), payer


def _plan(records: Records, resource: Resource) -> Cells:
    todo = [words(first(a, "detail", "code")) for a in objects(resource, "activity")]
    name = text(resource, "title") or words(first(resource, "description")) or _category(resource)
    more = "; ".join(filter(None, (text(resource, "description"), *todo)))
    return name or unnamed(), _date(resource), _status(resource), more


def _report(records: Records, resource: Resource) -> Cells:
    name = words(first(resource, "code")) or text(resource, "description") or _category(resource)
    series = [words({"coding": objects(s, "modality")}) for s in objects(resource, "series")]
    more = text(resource, "conclusion") or ", ".join(dict.fromkeys(filter(None, series)))
    return name or unnamed(), _date(resource), _status(resource), more


def _document(records: Records, resource: Resource) -> Cells:
    name = words(first(resource, "type")) or text(resource, "description") or _category(resource)
    author = records.name(resource, first(resource, "author"))
    return name or unnamed(), _date(resource), _status(resource), author


def _plain(records: Records, resource: Resource) -> Cells:
    note = text(first(resource, "note"), "text")
    return _name(resource, "code", "type", "deviceName"), _date(resource), _status(resource), note


def _name(resource: Resource, *elements: str) -> str:
    """What the record is about, in words; its code if there are none."""
    for element in elements or ("code",):
        concept = first(resource, element)
        found = words(concept) or text(concept, "name") or next(iter(codes(concept)), "")
        if found:
            return found
    return unnamed()


def unnamed() -> str:
    return pgettext("summary.unnamed", "No name was written")


def _category(resource: Resource) -> str:
    return next(filter(None, map(words, objects(resource, "category"))), "")


def _status(resource: Resource) -> str:
    """In words where it is one that people meet, else as the source has it."""
    clinical = first(resource, "clinicalStatus")
    code = next(iter(codes(clinical)), "") or text(resource, "status") or text(resource, "lifecycleStatus")
    return str(STATUS.get(code, words(clinical) or code))


def _date(resource: Resource) -> str:
    return date_words(moment(dated(resource)))


STATUS: Mapping[str, Promise] = {
    "active": pgettext_lazy("summary.status.active", "active"),
    "inactive": pgettext_lazy("summary.status.inactive", "not active"),
    "resolved": pgettext_lazy("summary.status.resolved", "resolved"),
    "remission": pgettext_lazy("summary.status.remission", "in remission"),
    "recurrence": pgettext_lazy("summary.status.recurrence", "came back"),
    "relapse": pgettext_lazy("summary.status.recurrence", "came back"),
    "completed": pgettext_lazy("summary.status.completed", "completed"),
    "finished": pgettext_lazy("summary.status.completed", "completed"),
    "stopped": pgettext_lazy("summary.status.stopped", "stopped"),
    "on-hold": pgettext_lazy("summary.status.on-hold", "on hold"),
    "cancelled": pgettext_lazy("summary.status.cancelled", "cancelled"),
    "not-done": pgettext_lazy("summary.status.not-done", "not done"),
    "final": pgettext_lazy("summary.status.final", "final"),
    "preliminary": pgettext_lazy("summary.status.preliminary", "not final yet"),
    "amended": pgettext_lazy("summary.status.amended", "corrected"),
    "corrected": pgettext_lazy("summary.status.amended", "corrected"),
    "planned": pgettext_lazy("summary.status.planned", "planned"),
    "booked": pgettext_lazy("summary.status.planned", "planned"),
    "current": pgettext_lazy("summary.status.current", "current"),
}
ROWS: Mapping[str, Callable[[Records, Resource], Cells]] = {
    "MedicationRequest": _medicine,
    "MedicationStatement": _medicine,
    "AllergyIntolerance": _allergy,
    "Immunization": _vaccine,
    "FamilyMemberHistory": _family,
    "Encounter": _visit,
    "Appointment": _appointment,
    "CareTeam": _team,
    "Coverage": _coverage,
    "CarePlan": _plan,
    "Goal": _plan,
    "DiagnosticReport": _report,
    "ImagingStudy": _report,
    "DocumentReference": _document,
}
