"""The lists of a record: medicines, allergies, conditions, vaccines, visits, and where they start."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from consent import helper_rights
from consent.vocabulary import Category
from portal import rows
from portal.acting import voice
from portal.guards import PatientRequest, record_required
from portal.loading import Loaded, Wanted, load
from portal.may_send import may_send
from portal.pages import Offline, page
from portal.rows import Row
from portal.states import Kind

LIST_STATES = (Kind.FRESH, Kind.STALE, Kind.PARTIAL, Kind.EMPTY, Kind.ERROR)
ONE_PART = (Kind.FRESH, Kind.STALE, Kind.EMPTY, Kind.ERROR)
MEDICINES = pgettext_lazy("records.medicines", "Medicines")
ALLERGIES = pgettext_lazy("records.allergies", "Allergies")
CONDITIONS = pgettext_lazy("records.conditions", "Health conditions")
VACCINES = pgettext_lazy("records.vaccines", "Vaccines")
VISITS = pgettext_lazy("records.visits", "Visits")
CARE_TEAM = pgettext_lazy("records.care_team", "Care team")
APPOINTMENTS = pgettext_lazy("records.appointments", "Appointments")


@dataclass(frozen=True, slots=True)
class SaidOfAllergies:
    """What one EHR says of allergies as a whole. `none_known`: the statement that there are none."""

    name: str
    none_known: Row | None
    has_some: bool

    @property
    def nothing_recorded(self) -> bool:
        return not self.has_some and self.none_known is None


@dataclass(frozen=True, slots=True)
class Section:
    heading: str | Promise
    rows: list[Row]


@page("records")
@require_GET
@record_required
def records(request: PatientRequest) -> HttpResponse:
    context = {"shown": shown_to(request), "may_send": may_send(request)}
    return render(request, "portal/records.html", context)


# Of which kinds of record each page is; a helper's list names those that are for them.
KINDS_OF_PAGE: Mapping[str, frozenset[Category]] = {
    "results": frozenset({Category.TEST_RESULTS}),
    "vitals": frozenset({Category.VITAL_SIGNS}),
    "medicines": frozenset({Category.MEDICINES}),
    "allergies": frozenset({Category.ALLERGIES}),
    "conditions": frozenset({Category.CONDITIONS}),
    "vaccines": frozenset({Category.VACCINES}),
    "visits": frozenset({Category.VISITS, Category.APPOINTMENTS}),
    "care-team": frozenset({Category.CARE_TEAM}),
    "documents": frozenset({Category.NOTES}),
    "insurance": frozenset({Category.INSURANCE}),
}


def shown_to(request: PatientRequest) -> list[str]:
    """The pages of records to link to: all of one's own, and of a helper's those that show them something."""
    if request.helping is None:
        return list(KINDS_OF_PAGE)
    now = helper_rights.visible(request.helping, timezone.now())
    return [name for name, kinds in KINDS_OF_PAGE.items() if kinds & now]


@page(
    "medicines",
    reads=("MedicationRequest", "MedicationStatement"),
    offline=Offline.ALLOWED,
    states=LIST_STATES,
)
@require_GET
@record_required
def medicines(request: PatientRequest) -> HttpResponse:
    loaded = load(
        request,
        Wanted("MedicationRequest", MEDICINES),
        Wanted(
            "MedicationStatement",
            voice(
                pgettext_lazy("records.own_medicines", "Medicines you told us about"),
                pgettext_lazy("acting.records.own_medicines", "Medicines they told us about"),
            ),
        ),
    )
    found = rows.rows_of([*loaded.found[0], *loaded.found[1]], rows.medicine)
    sections = _now_and_past(
        found,
        voice(
            pgettext_lazy("medicines.now", "Medicines you take now"),
            pgettext_lazy("acting.medicines.now", "Medicines now"),
        ),
    )
    return list_page(
        request,
        "medicines",
        MEDICINES,
        loaded,
        sections,
        voice(
            pgettext_lazy("medicines.none", "No medicines on your record"),
            pgettext_lazy("acting.medicines.none", "No medicines on this record"),
        ),
    )


@page("allergies", reads=("AllergyIntolerance",), offline=Offline.ALLOWED, states=ONE_PART)
@require_GET
@record_required
def allergies(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("AllergyIntolerance", ALLERGIES))
    sections = _now_and_past(
        rows.rows_of(loaded.found[0], rows.allergy),
        voice(
            pgettext_lazy("allergies.now", "Allergies you have now"),
            pgettext_lazy("acting.allergies.now", "Allergies now"),
        ),
    )
    empty = voice(
        pgettext_lazy("allergies.none", "Nobody has recorded whether you have allergies"),
        pgettext_lazy("acting.allergies.none", "Nobody has recorded whether there are allergies"),
    )
    said = allergies_by_source(loaded)
    return list_page(
        request,
        "allergies",
        ALLERGIES,
        loaded,
        sections,
        empty,
        said=said,
        all_have_some=all(s.has_some for s in said),
    )


def allergies_by_source(loaded: Loaded) -> list[SaidOfAllergies]:
    """By EHR that answered: "none known" is a statement of one of them, and so is that nothing is there."""
    said = []
    for told in loaded.told:
        answer = told.answers[0]
        if answer is None:
            continue
        resources = [item.resource for item in answer.items]
        current = [row for row in rows.rows_of(resources, rows.allergy) if row.is_current]
        none_known = None if current else rows.no_known_allergies(resources)
        said.append(SaidOfAllergies(told.source.name, none_known, bool(current)))
    return said


@page("conditions", reads=("Condition",), states=ONE_PART)
@require_GET
@record_required
def conditions(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("Condition", CONDITIONS))
    sections = _now_and_past(
        rows.merged(rows.rows_of(loaded.found[0], rows.condition)),
        voice(
            pgettext_lazy("conditions.now", "Conditions you have now"),
            pgettext_lazy("acting.conditions.now", "Conditions now"),
        ),
    )
    empty = voice(
        pgettext_lazy("conditions.none", "No health conditions on your record"),
        pgettext_lazy("acting.conditions.none", "No health conditions on this record"),
    )
    return list_page(request, "conditions", CONDITIONS, loaded, sections, empty)


@page("vaccines", reads=("Immunization",), states=ONE_PART)
@require_GET
@record_required
def vaccines(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("Immunization", VACCINES))
    found = rows.rows_of(loaded.found[0], rows.vaccine)
    given = Section(
        voice(
            pgettext_lazy("vaccines.given", "Vaccines you had"),
            pgettext_lazy("acting.vaccines.given", "Vaccines given"),
        ),
        [r for r in found if r.is_current],
    )
    not_given = Section(
        pgettext_lazy("vaccines.not_given", "Vaccines not given"), [r for r in found if not r.is_current]
    )
    empty = voice(
        pgettext_lazy("vaccines.none", "No vaccines on your record"),
        pgettext_lazy("acting.vaccines.none", "No vaccines on this record"),
    )
    return list_page(request, "vaccines", VACCINES, loaded, [given, not_given], empty)


@page("visits", reads=("Appointment", "Encounter"), offline=Offline.ALLOWED, states=LIST_STATES)
@require_GET
@record_required
def visits(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("Appointment", APPOINTMENTS), Wanted("Encounter", VISITS))
    booked = rows.rows_of(loaded.found[0], partial(rows.appointment, now=timezone.now()))
    coming = [row for row in booked if row.is_current][::-1]  # the next one first
    past = rows.linked(rows.rows_of(loaded.found[1], rows.visit), "portal:visit")
    sections = [
        Section(pgettext_lazy("visits.coming", "Coming up"), rows.linked(coming, "portal:appointment")),
        Section(pgettext_lazy("visits.past", "Past visits"), past),
    ]
    return list_page(
        request,
        "visits",
        VISITS,
        loaded,
        sections,
        voice(
            pgettext_lazy("visits.none", "No visits on your record"),
            pgettext_lazy("acting.visits.none", "No visits on this record"),
        ),
    )


@page("care-team", reads=("CareTeam",), states=ONE_PART)
@require_GET
@record_required
def care_team(request: PatientRequest) -> HttpResponse:
    """Who takes care of the patient: a section for each team, so that a name says what it is there for."""
    loaded = load(request, Wanted("CareTeam", CARE_TEAM))
    found = rows.members(loaded.found[0])
    sections = [
        Section(
            voice(
                pgettext_lazy("care_team.now", "People who take care of you"),
                pgettext_lazy("acting.care_team.now", "People on the care team"),
            ),
            found,
        )
    ]
    empty = voice(
        pgettext_lazy("care_team.none", "No care team on your record"),
        pgettext_lazy("acting.care_team.none", "No care team on this record"),
    )
    return list_page(request, "care-team", CARE_TEAM, loaded, sections, empty)


def _now_and_past(found: list[Row], now: str | Promise) -> list[Section]:
    return [
        Section(now, [row for row in found if row.is_current]),
        Section(pgettext_lazy("records.past", "Past"), [row for row in found if not row.is_current]),
    ]


def list_page(
    request: PatientRequest,
    name: str,
    title: Promise,
    loaded: Loaded,
    sections: list[Section],
    empty: str | Promise,
    **more: object,
) -> HttpResponse:
    context = {
        "name": name,
        "title": title,
        "state": loaded.state,
        "sections": [section for section in sections if section.rows],
        "empty": empty if loaded.state.is_whole else "",
        "said": [],
        "all_have_some": False,
        "looked_in": [told.source.name for told in loaded.told],
    }
    return render(request, "portal/record_list.html", context | more, status=loaded.status)
