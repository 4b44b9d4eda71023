"""The parts of a summary, as every format shows them: which records stand in one, and what its table says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from consent.vocabulary import Category
from exports.formats import cells
from exports.formats.about import Resource, Why
from exports.formats.records import Records
from fhirproxy.reading import LOINC, codes, first, objects


class Part(StrEnum):
    MEDICINES = "medicines"
    ALLERGIES = "allergies"
    PROBLEMS = "problems"
    PAST_PROBLEMS = "past-problems"
    VACCINES = "vaccines"
    RESULTS = "results"
    REPORTS = "reports"
    VITAL_SIGNS = "vital-signs"
    PROCEDURES = "procedures"
    DEVICES = "devices"
    PLANS = "plans"
    SOCIAL_HISTORY = "social-history"
    PREGNANCY = "pregnancy"
    FAMILY_HISTORY = "family-history"
    VISITS = "visits"
    APPOINTMENTS = "appointments"
    CARE_TEAM = "care-team"
    DOCUMENTS = "documents"
    COVERAGE = "coverage"


class State(StrEnum):
    """What a part has to say. Nothing recorded and nothing there are two things."""

    ROWS = "rows"
    NONE_KNOWN = "none-known"  # a source says that there is none
    LEFT_OUT = "left-out"
    NOT_RECORDED = "not-recorded"


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[str, ...]
    resource: Resource


@dataclass(frozen=True, slots=True)
class Table:
    """One part, filled. `why` is set where its records were left out."""

    part: Part
    state: State
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    why: tuple[Why, ...] = ()

    @property
    def heading(self) -> str:
        return str(HEADINGS[self.part])

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Each once: a result with parts has several rows."""
        return tuple({id(row.resource): row.resource for row in self.rows}.values())

    @property
    def notice(self) -> str:
        """What stands where there are no rows, or before them if some are left out."""
        if self.why:
            return " ".join(str(WHY[why]) for why in self.why)
        return str(NOT_RECORDED) if self.state == State.NOT_RECORDED else ""


HEADINGS: Mapping[Part, Promise] = {
    Part.MEDICINES: pgettext_lazy("category.medicines", "Medicines"),
    Part.ALLERGIES: pgettext_lazy("category.allergies", "Allergies"),
    Part.PROBLEMS: pgettext_lazy("summary.problems", "Health conditions now"),
    Part.PAST_PROBLEMS: pgettext_lazy("summary.past-problems", "Health conditions in the past"),
    Part.VACCINES: pgettext_lazy("category.vaccines", "Vaccines"),
    Part.RESULTS: pgettext_lazy("category.test-results", "Test results"),
    Part.REPORTS: pgettext_lazy("summary.reports", "Reports of tests and scans"),
    Part.VITAL_SIGNS: pgettext_lazy("category.vital-signs", "Vital signs"),
    Part.PROCEDURES: pgettext_lazy("category.procedures", "Procedures"),
    Part.DEVICES: pgettext_lazy("category.devices", "Devices"),
    Part.PLANS: pgettext_lazy("category.care-plans", "Care plans and goals"),
    Part.SOCIAL_HISTORY: pgettext_lazy("category.social-history", "Life and habits"),
    Part.PREGNANCY: pgettext_lazy("summary.pregnancy", "Pregnancy"),
    Part.FAMILY_HISTORY: pgettext_lazy("category.family-history", "Family health"),
    Part.VISITS: pgettext_lazy("category.visits", "Visits"),
    Part.APPOINTMENTS: pgettext_lazy("category.appointments", "Appointments"),
    Part.CARE_TEAM: pgettext_lazy("summary.care-team", "Care team"),
    Part.DOCUMENTS: pgettext_lazy("category.notes", "Notes and letters"),
    Part.COVERAGE: pgettext_lazy("summary.coverage", "Insurance"),
}
WHY: Mapping[Why, Promise] = {
    Why.CHOSEN: pgettext_lazy("summary.why.chosen", "Left out. It was not chosen for this file."),
    Why.PRIVATE: pgettext_lazy("summary.why.private", "Private topics are left out of this file."),
    Why.NOT_SHARED: pgettext_lazy(
        "summary.why.not-shared", "Left out. Whoever asked for this file may not see it."
    ),
    Why.MISSING: pgettext_lazy(
        "summary.why.missing", "Missing. A source did not answer when this file was made."
    ),
}
NOT_RECORDED = pgettext_lazy(
    "summary.not-recorded", "Not recorded in these sources. This does not mean that there is none."
)
CATEGORIES: Mapping[Part, Category] = {
    Part.MEDICINES: Category.MEDICINES,
    Part.ALLERGIES: Category.ALLERGIES,
    Part.PROBLEMS: Category.CONDITIONS,
    Part.PAST_PROBLEMS: Category.CONDITIONS,
    Part.VACCINES: Category.VACCINES,
    Part.RESULTS: Category.TEST_RESULTS,
    Part.REPORTS: Category.TEST_RESULTS,
    Part.VITAL_SIGNS: Category.VITAL_SIGNS,
    Part.PROCEDURES: Category.PROCEDURES,
    Part.DEVICES: Category.DEVICES,
    Part.PLANS: Category.CARE_PLANS,
    Part.SOCIAL_HISTORY: Category.SOCIAL_HISTORY,
    Part.PREGNANCY: Category.TEST_RESULTS,
    Part.FAMILY_HISTORY: Category.FAMILY_HISTORY,
    Part.VISITS: Category.VISITS,
    Part.APPOINTMENTS: Category.APPOINTMENTS,
    Part.CARE_TEAM: Category.CARE_TEAM,
    Part.DOCUMENTS: Category.NOTES,
    Part.COVERAGE: Category.INSURANCE,
}
PART_OF_TYPE: Mapping[str, Part] = {
    "MedicationRequest": Part.MEDICINES,
    "MedicationStatement": Part.MEDICINES,
    "AllergyIntolerance": Part.ALLERGIES,
    "Condition": Part.PROBLEMS,  # or of the past
    "Immunization": Part.VACCINES,
    "Observation": Part.RESULTS,  # or by its category and code
    "DiagnosticReport": Part.REPORTS,
    "ImagingStudy": Part.REPORTS,
    "Procedure": Part.PROCEDURES,
    "Device": Part.DEVICES,
    "CarePlan": Part.PLANS,
    "Goal": Part.PLANS,
    "FamilyMemberHistory": Part.FAMILY_HISTORY,
    "Encounter": Part.VISITS,
    "Appointment": Part.APPOINTMENTS,
    "CareTeam": Part.CARE_TEAM,
    "DocumentReference": Part.DOCUMENTS,
    "Coverage": Part.COVERAGE,
}
PAST = frozenset({"inactive", "remission", "resolved"})
# LOINC: status, expected delivery date, number of pregnancies by outcome
PREGNANCY = frozenset(
    {"82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2", "11640-0"}
    | {"11612-9", "11613-7", "11614-5", "33065-4", "11996-6", "69043-8"}
)
# SNOMED CT and the older codes of the IPS for "there is none"
NONE_KNOWN = frozenset(
    {"716186003", "409137002", "429625007", "428607008", "1003774007", "160245001", "160244002"}
    | {"787481004", "787480003", "787482006", "no-known-allergies", "no-known-problems"}
    | {"no-known-medications", "no-known-procedures", "no-known-immunizations", "no-known-devices"}
)
COLUMNS: Mapping[Part, Callable[[], tuple[str, ...]]] = {
    **dict.fromkeys(Part, cells.plain_columns),
    Part.MEDICINES: cells.medicine_columns,
    Part.ALLERGIES: cells.allergy_columns,
    **dict.fromkeys(
        (Part.RESULTS, Part.VITAL_SIGNS, Part.SOCIAL_HISTORY, Part.PREGNANCY), cells.measure_columns
    ),
}


def part_of(resource: Resource) -> Part | None:
    """Where a record stands in a summary; None if summaries have no place for its type."""
    part = PART_OF_TYPE.get(str(resource.get("resourceType")))
    if part == Part.PROBLEMS:
        return Part.PAST_PROBLEMS if PAST & set(codes(first(resource, "clinicalStatus"))) else part
    return _part_of_observation(resource) if part == Part.RESULTS else part


def _part_of_observation(resource: Resource) -> Part:
    kinds = {code for kind in objects(resource, "category") for code in codes(kind)}
    if PREGNANCY & set(codes(first(resource, "code"), LOINC)):
        return Part.PREGNANCY
    if "vital-signs" in kinds:
        return Part.VITAL_SIGNS
    return Part.SOCIAL_HISTORY if kinds & {"social-history", "sdoh"} else Part.RESULTS


def tables(records: Records, parts: tuple[Part, ...] = tuple(Part)) -> Iterator[Table]:
    """The parts, in order, newest rows first. Words are in the language that is spoken."""
    sorted_out: dict[Part, list[Resource]] = {part: [] for part in parts}
    for one in records.all:
        if (part := part_of(one)) in sorted_out:
            sorted_out[part].append(one)
    for part, found in sorted_out.items():
        yield _table(records, part, found)


def _table(records: Records, part: Part, found: list[Resource]) -> Table:
    why = tuple(left.why for left in records.about.left_out if left.category == CATEGORIES[part])
    named = len(records.about.sources) > 1
    columns = COLUMNS[part]() + ((pgettext("results.csv.source", "Source"),) if named else ())
    rows = []
    for one in sorted(found, key=cells.age, reverse=True):
        tail = (records.about.source_name(one),) if named else ()
        rows += [Row((*row, *tail), one) for row in cells.rows(records, one)]
    if not rows:
        state = State.LEFT_OUT if why else State.NOT_RECORDED
    else:
        state = State.NONE_KNOWN if all(says_none(row.resource) for row in rows) else State.ROWS
    return Table(part, state, columns, tuple(rows), why)


def says_none(resource: Resource) -> bool:
    """The record states that there is none, such as "No known allergy"."""
    concept = next(filter(None, (first(resource, k) for k in ("code", "medicationCodeableConcept"))), {})
    return bool(NONE_KNOWN & set(codes(concept)))
