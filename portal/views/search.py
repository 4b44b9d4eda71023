"""Find in my records. What is looked for is posted: it stands in no address, no log and no history."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_http_methods

from portal import ask_first, insurance, rows
from portal.guards import PatientRequest, record_required
from portal.loading import Loaded, Wanted, load
from portal.pages import page
from portal.records import LABORATORY, VITAL_SIGNS
from portal.rows import Row
from portal.searching import LONGEST, MOST, Hit, matching, words_of
from portal.series import newest_of_each
from portal.states import Kind
from portal.views.documents import DOCUMENTS
from portal.views.insurance import INSURANCE
from portal.views.records import (
    ALLERGIES,
    APPOINTMENTS,
    CARE_TEAM,
    CONDITIONS,
    MEDICINES,
    VACCINES,
    VISITS,
    shown_to,
)
from portal.views.results import RESULTS, VITALS

Reader = Callable[[Any], Row | None]
# FHIR type → what people call it, the page it is on, and how a row is read of it.
LISTS: Mapping[str, tuple[Promise, str, Reader]] = {
    "MedicationRequest": (MEDICINES, "medicines", rows.medicine),
    "MedicationStatement": (MEDICINES, "medicines", rows.medicine),
    "AllergyIntolerance": (ALLERGIES, "allergies", rows.allergy),
    "Condition": (CONDITIONS, "conditions", rows.condition),
    "Immunization": (VACCINES, "vaccines", rows.vaccine),
    "Encounter": (VISITS, "visits", rows.visit),
    "DocumentReference": (DOCUMENTS, "documents", rows.document),
    "Coverage": (INSURANCE, "insurance", insurance.coverage),
    "ExplanationOfBenefit": (INSURANCE, "insurance", insurance.claim),
}
PAGES = {"documents": "portal:document", "visits": "portal:visit", "appointments": "portal:appointment"}
WANTED = (
    *(Wanted(resource_type, label) for resource_type, (label, _, _) in LISTS.items()),
    Wanted("Appointment", APPOINTMENTS),
    Wanted("CareTeam", CARE_TEAM),
    Wanted("Observation", RESULTS, LABORATORY),
    Wanted("Observation", VITALS, VITAL_SIGNS),
)


class SearchForm(forms.Form):
    words = forms.CharField(
        label=pgettext_lazy("search.words", "What are you looking for?"),
        help_text=pgettext_lazy("search.words.help", "A test, a medicine, a doctor or a place."),
        max_length=LONGEST,
        error_messages={"required": pgettext_lazy("search.words.required", "Enter a word to look for.")},
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )


@page(
    "search",
    reads=tuple(dict.fromkeys(each.resource_type for each in WANTED)),
    states=(Kind.FRESH, Kind.STALE, Kind.PARTIAL, Kind.EMPTY, Kind.ERROR),
)
@require_http_methods(["GET", "POST"])
@record_required
def search(request: PatientRequest) -> HttpResponse:
    form = SearchForm(request.POST or None)
    context = {"form": form, "shown": shown_to(request)}
    if not form.is_valid():
        return render(request, "portal/search.html", context, status=422 if form.errors else 200)
    loaded = load(request, *WANTED)
    hits = matching(_hits(request, loaded), words_of(form.cleaned_data["words"]))
    context |= {"searched": True, "state": loaded.state, "hits": hits[:MOST], "more": len(hits) > MOST}
    return render(request, "portal/search.html", context, status=loaded.status)


def _hits(request: PatientRequest, loaded: Loaded) -> Iterator[Hit]:
    """All that a page of records shows, as something that can be found."""
    found = iter(loaded.found)
    for label, name, reader in LISTS.values():
        listed = rows.rows_of(next(found), reader)
        for row in rows.merged(listed) if name == "conditions" else listed:
            yield Hit.of_row(row, label, _page_of(name, row.id))
    for row in rows.rows_of(next(found), partial(rows.appointment, now=timezone.now())):
        yield Hit.of_row(row, APPOINTMENTS, _page_of("appointments", row.id))
    for row in rows.members(next(found)):
        yield Hit.of_row(row, CARE_TEAM, reverse("portal:care-team"))
    for label in (RESULTS, VITALS):
        for result in newest_of_each(ask_first.read_all(request, next(found))):
            yield Hit.of_result(result, label, reverse("portal:result", args=[result.id]))


def _page_of(name: str, address: str) -> str:
    page = PAGES.get(name, "")
    return reverse(page, args=[address]) if page and address else reverse(f"portal:{name}")
