"""Insurance: the plans of a person, and what was billed to them."""

from django.http import HttpResponse
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from portal import insurance, rows
from portal.acting import voice
from portal.guards import PatientRequest, record_required
from portal.loading import Wanted, load
from portal.pages import page
from portal.views.records import LIST_STATES, Section, list_page

INSURANCE = pgettext_lazy("records.insurance", "Insurance and bills")
PLANS = pgettext_lazy("insurance.plans", "Insurance plans")
BILLS = pgettext_lazy("insurance.bills", "Bills and what the plan paid")


@page("insurance", reads=("Coverage", "ExplanationOfBenefit"), states=LIST_STATES)
@require_GET
@record_required
def plans(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("Coverage", PLANS), Wanted("ExplanationOfBenefit", BILLS))
    found = rows.rows_of(loaded.found[0], insurance.coverage)
    sections = [
        Section(PLANS, [row for row in found if row.is_current]),
        Section(BILLS, rows.rows_of(loaded.found[1], insurance.claim)),
        Section(
            pgettext_lazy("insurance.past", "Plans that ended"), [row for row in found if not row.is_current]
        ),
    ]
    empty = voice(
        pgettext_lazy("insurance.none", "No insurance on your record"),
        pgettext_lazy("acting.insurance.none", "No insurance on this record"),
    )
    return list_page(request, "insurance", INSURANCE, loaded, sections, empty)
