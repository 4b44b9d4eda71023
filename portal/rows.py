"""From records to the rows of the list pages: medicines, allergies, conditions, vaccines, visits, documents.

Pure. Each reader takes one FHIR R4 resource and gives a `Row`, or None for what does not stand
(entered in error, refuted). A clinic's own words are shown as they are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from fhirproxy import reading as fhir
from fhirproxy.dates import date_words, time_words
from fhirproxy.reading import Moment
from portal.where_from import ALONE, WhereFrom, each

Resource = dict[str, Any]
NO_KNOWN_ALLERGIES = {"716186003", "409137002", "428607008", "429625007", "1003774007"}  # SNOMED CT
NOT_ASKED = {"1631000175102", "asked-unknown", "not-asked", "unknown"}  # SNOMED CT; data-absent-reason
PLACEHOLDERS = {"not on file", "no information", "unknown", "not asked", "none recorded"}
NO_NAME = pgettext_lazy("row.no_name", "No name given. Ask your clinic about it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    name: str | Promise
    when: Moment | None = None
    details: tuple[str, ...] = ()
    chip: str | Promise = ""
    chip_kind: str = ""
    source: str = ""
    is_current: bool = True
    count: int = 1  # how often the record says it
    url: str = ""  # of its own page, where it has one
    type: str = ""  # FHIR's
    origin: WhereFrom = ALONE


def rows_of(resources: Iterable[Any], reader: Callable[[Any], Row | None]) -> list[Row]:
    """Rows that stand, newest first; undated ones last. Of resources, or of what was combined."""
    return fhir.newest_first(
        replace(row, id=address or row.id, origin=origin, type=fhir.text(resource, "resourceType"))
        for resource, address, origin in each(resources)
        if (row := reader(resource))
    )


def members(teams: Iterable[Any]) -> list[Row]:
    """The people of all care teams."""
    return [
        replace(row, id=address or row.id, origin=origin, type="CareTeam")
        for resource, address, origin in each(teams)
        for row in care_team(resource)
    ]


def linked(rows: Iterable[Row], page: str) -> list[Row]:
    """With the address of each one's own page; one without an id has none."""
    return [replace(row, url=reverse(page, args=[row.id])) if row.id else row for row in rows]


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each thing, its newest (rows come newest first), with how often it was written down.

    By its name, so within one EHR only: two EHRs may mean different things by one name.
    """
    found: dict[tuple[str, str, bool], Row] = {}
    for row in rows:
        key = (row.origin.slug, str(row.name).casefold(), row.is_current)
        found[key] = _and(found[key], row) if key in found else row
    return list(found.values())


def _and(row: Row, older: Row) -> Row:
    also = tuple(dict.fromkeys((*row.origin.also, *older.origin.also)))
    return replace(row, count=row.count + 1, origin=replace(row.origin, also=also))


def medicine(resource: Any) -> Row | None:
    """MedicationRequest or MedicationStatement."""
    status = fhir.text(resource, "status")
    if status in {"entered-in-error", "draft", "not-taken"}:
        return None
    is_current = status in {"active", "on-hold", "unknown", "intended"}
    dose = fhir.text(resource, "dosageInstruction", "patientInstruction") or fhir.text(
        resource, "dosageInstruction", "text"
    )
    when = _moment(resource, "authoredOn", "effectiveDateTime", "dateAsserted")
    chips = {
        "on-hold": pgettext("medicine.hold", "On hold"),
        "stopped": pgettext("medicine.stopped", "Stopped"),
        "cancelled": pgettext("medicine.cancelled", "Cancelled"),
        "completed": pgettext("medicine.completed", "Finished"),
    }
    return Row(
        id=fhir.text(resource, "id"),
        name=_medicine_name(resource),
        when=when,
        details=_some(
            dose or fhir.text(resource, "dosage", "text"),
            pgettext("medicine.since", "Ordered on {date}").format(date=date_words(when)) if when else "",
        ),
        chip=chips.get(status, ""),
        chip_kind="off" if not is_current else "warn",
        source=fhir.display(fhir.first(resource, "requester"))
        or fhir.display(fhir.first(resource, "informationSource")),
        is_current=is_current,
    )


def _medicine_name(resource: Any) -> str | Promise:
    reference = fhir.first(resource, "medicationReference")
    inside = {f"#{fhir.text(c, 'id')}": c for c in fhir.objects(resource, "contained")}
    contained = inside.get(fhir.text(reference, "reference"), {})
    return (
        fhir.words(fhir.first(resource, "medicationCodeableConcept"))
        or fhir.display(reference)
        or fhir.words(fhir.first(contained, "code"))
        or NO_NAME
    )


def allergy(resource: Any) -> Row | None:
    """AllergyIntolerance; not one that says there are none (see `no_known_allergies`)."""
    if not _stands(resource) or _says_none(resource) or _says_nothing(resource):
        return None
    reactions = [fhir.words(m) for m in fhir.objects(resource, "reaction", "manifestation")]
    seen = ", ".join(dict.fromkeys(filter(None, reactions)))
    is_high = fhir.text(resource, "criticality") == "high"
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.words(fhir.first(resource, "code")) or NO_NAME,
        when=_moment(resource, "recordedDate", "onsetDateTime"),
        details=_some(pgettext("allergy.reaction", "Reaction: {list}").format(list=seen) if seen else ""),
        chip=pgettext("allergy.serious", "Can be serious") if is_high else "",
        chip_kind="warn",
        source=fhir.display(fhir.first(resource, "recorder")),
        is_current=_clinical_status(resource) not in {"inactive", "resolved"},
    )


def no_known_allergies(resources: Iterable[Any]) -> Row | None:
    """The newest statement that there are no known allergies, if someone made one."""
    said = (r for r in resources if _stands(r) and _says_none(r) and _clinical_status(r) != "inactive")
    rows = [
        Row(id=fhir.text(r, "id"), name="", when=_moment(r, "recordedDate", "lastOccurrence")) for r in said
    ]
    return next(iter(fhir.newest_first(rows)), None)


def care_team(resource: Any) -> list[Row]:
    """CareTeam: a row for each member who has a name; not the patient."""
    if fhir.text(resource, "status") in {"entered-in-error", "proposed", "inactive"}:
        return []
    team = fhir.text(resource, "name")
    return [
        Row(
            id=fhir.text(resource, "id"),
            name=fhir.display(fhir.first(member, "member")),
            details=_some(fhir.words(fhir.objects(member, "role")), team),
        )
        for member in fhir.objects(resource, "participant")
        if fhir.display(fhir.first(member, "member"))
        and not fhir.text(fhir.first(member, "member"), "reference").startswith("Patient/")
        and not fhir.text(member, "period", "end")
    ]


def condition(resource: Any) -> Row | None:
    """Condition."""
    if not _stands(resource):
        return None
    onset = _moment(resource, "onsetDateTime") or _moment(fhir.first(resource, "onsetPeriod"), "start")
    ended = _moment(resource, "abatementDateTime")
    is_current = _clinical_status(resource) not in {"inactive", "remission", "resolved"} and ended is None
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.words(fhir.first(resource, "code")) or NO_NAME,
        when=onset or _moment(resource, "recordedDate"),
        details=_some(
            pgettext("condition.since", "Since {date}").format(date=date_words(onset)) if onset else "",
            pgettext("condition.until", "Until {date}").format(date=date_words(ended)) if ended else "",
        ),
        source=fhir.display(fhir.first(resource, "recorder"))
        or fhir.display(fhir.first(resource, "asserter")),
        is_current=is_current,
    )


def vaccine(resource: Any) -> Row | None:
    """Immunization."""
    status = fhir.text(resource, "status")
    if status == "entered-in-error":
        return None
    when = _moment(resource, "occurrenceDateTime", "recorded")
    given = status != "not-done"
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.words(fhir.first(resource, "vaccineCode")) or NO_NAME,
        when=when,
        details=_some(date_words(when) or fhir.text(resource, "occurrenceString")),
        chip="" if given else pgettext("vaccine.not_given", "Not given"),
        chip_kind="off",
        source=next(filter(None, (fhir.display(a) for a in fhir.objects(resource, "performer", "actor"))), "")
        or fhir.display(fhir.first(resource, "location")),
        is_current=given,
    )


VISIT_KIND = {  # HL7 v3 ActCode
    "AMB": pgettext_lazy("visit.clinic", "Visit to the clinic"),
    "VR": pgettext_lazy("visit.video", "Video or phone visit"),
    "EMER": pgettext_lazy("visit.emergency", "Emergency visit"),
    "IMP": pgettext_lazy("visit.hospital", "Hospital stay"),
    "ACUTE": pgettext_lazy("visit.hospital", "Hospital stay"),
    "HH": pgettext_lazy("visit.home", "Visit at home"),
}


def visit(resource: Any) -> Row | None:
    """Encounter."""
    if fhir.text(resource, "status") in {"entered-in-error", "cancelled"}:
        return None
    period = fhir.first(resource, "period")
    start, end = _moment(period, "start"), _moment(period, "end")
    kind = VISIT_KIND.get(fhir.text(resource, "class", "code"))
    reason = fhir.words(fhir.objects(resource, "reasonCode"))
    stay = f"{date_words(start)} – {date_words(end)}" if end and date_words(end) != date_words(start) else ""
    return Row(
        id=fhir.text(resource, "id"),
        name=reason or kind or fhir.words(fhir.objects(resource, "type")) or NO_NAME,
        when=start,
        details=_some(stay or date_words(start), str(kind) if kind and reason else ""),
        source=_people(resource, "participant", "individual")
        or fhir.display(fhir.first(resource, "serviceProvider")),
    )


def appointment(resource: Any, *, now: datetime) -> Row | None:
    """Appointment; `is_current` while it is still to come."""
    status = fhir.text(resource, "status")
    if status in {"entered-in-error", "noshow", "waitlist"}:
        return None
    start = _moment(resource, "start")
    is_off = status == "cancelled"
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.text(resource, "description")
        or fhir.words(fhir.objects(resource, "serviceType"))
        or pgettext("appointment", "Appointment"),
        when=start,
        details=_some(time_words(start), fhir.text(resource, "patientInstruction")),
        chip=pgettext("appointment.cancelled", "Cancelled") if is_off else "",
        chip_kind="off",
        source=_people(resource, "participant", "actor", but=("Patient/", "Location/")),
        is_current=bool(start and start.at >= now and not is_off),
    )


def document(resource: Any) -> Row | None:
    """DocumentReference."""
    if fhir.text(resource, "status") in {"superseded", "entered-in-error"}:
        return None
    when = _moment(resource, "date") or _moment(fhir.first(resource, "context", "period"), "start")
    is_unfinished = fhir.text(resource, "docStatus") == "preliminary"
    return Row(
        id=fhir.text(resource, "id"),
        name=fhir.text(resource, "content", "attachment", "title")
        or fhir.text(resource, "description")
        or fhir.words(fhir.first(resource, "type"))
        or NO_NAME,
        when=when,
        details=_some(date_words(when), fhir.words(fhir.first(resource, "type"))),
        chip=pgettext("document.unfinished", "Not finished") if is_unfinished else "",
        chip_kind="warn",
        source=fhir.display(fhir.first(resource, "author")),
        is_current=not is_unfinished,
    )


def _moment(resource: Any, *keys: str) -> Moment | None:
    return next(filter(None, (fhir.moment(fhir.text(resource, key)) for key in keys)), None)


def _clinical_status(resource: Any) -> str:
    return next(iter(fhir.codes(fhir.first(resource, "clinicalStatus"))), "")


def _stands(resource: Any) -> bool:
    verification = fhir.codes(fhir.first(resource, "verificationStatus"))
    return isinstance(resource, dict) and not set(verification) & {"refuted", "entered-in-error"}


def _says_nothing(resource: Any) -> bool:
    """What some EHRs send where nobody has asked: a placeholder, and no word about allergies."""
    concept = fhir.first(resource, "code")
    if fhir.codes(concept):
        return bool(NOT_ASKED & set(fhir.codes(concept)))
    return fhir.words(concept).strip(" .").casefold() in PLACEHOLDERS


def _says_none(resource: Any) -> bool:
    return bool(NO_KNOWN_ALLERGIES & set(fhir.codes(fhir.first(resource, "code"))))


def _people(resource: Any, *path: str, but: tuple[str, ...] = ("Location/",)) -> str:
    found = fhir.objects(resource, *path)
    names = [fhir.display(one) for one in found if not fhir.text(one, "reference").startswith(but)]
    return ", ".join(dict.fromkeys(filter(None, names)))


def _some(*lines: str | None) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
