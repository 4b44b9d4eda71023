"""Test results and vital signs: the list, one report, one result, one measure over time."""

from dataclasses import replace

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from fhirproxy.reading import LOINC
from portal import ask_first, observations, plain_names, records
from portal.combining import Item, Shown
from portal.guards import PatientRequest, record_required
from portal.lab_words import PROGRESS
from portal.loading import Loaded, Wanted, load, needs_records, state_of_item
from portal.observations import Progress, Result
from portal.pages import page
from portal.records import LAB_REPORTS, LABORATORY, VITAL_SIGNS
from portal.result_page import folded, list_rows, panels
from portal.series import grouped, newest_of_each, report
from portal.states import Kind
from portal.where_from import where_from

RESULTS = pgettext_lazy("records.results", "Test results")
VITALS = pgettext_lazy("records.vitals", "Vital signs")
REPORTS = pgettext_lazy("records.reports", "Lab reports")
GROUPS_ON_A_PAGE = 10
ALL_ROWS = 500


@page(
    "results",
    reads=("DiagnosticReport", "Observation"),
    states=(Kind.FRESH, Kind.STALE, Kind.PARTIAL, Kind.EMPTY, Kind.ERROR),
)
@require_GET
@record_required
def results(request: PatientRequest) -> HttpResponse:
    loaded = load(
        request,
        Wanted("Observation", RESULTS, LABORATORY),
        Wanted("DiagnosticReport", REPORTS, LAB_REPORTS),
    )
    found = ask_first.read_all(request, *loaded.found)
    shown = Paginator(grouped(loaded.found[1], found), GROUPS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": RESULTS,
        "state": loaded.state,
        "page": shown,
        "groups": [(group, *folded(list_rows(group.results, found))) for group in shown],
    }
    return render(request, "portal/results.html", context, status=loaded.status)


@page("vitals", reads=("Observation",), states=(Kind.FRESH, Kind.STALE, Kind.EMPTY, Kind.ERROR))
@require_GET
@record_required
def vitals(request: PatientRequest) -> HttpResponse:
    """The newest of each measure; its page has the others."""
    loaded = load(request, Wanted("Observation", VITALS, VITAL_SIGNS))
    found = ask_first.read_all(request, loaded.found[0])
    context = {"title": VITALS, "state": loaded.state, "rows": list_rows(newest_of_each(found), found)}
    return render(request, "portal/vitals.html", context, status=loaded.status)


@page("report", reads=("DiagnosticReport", "Observation"))
@require_GET
@record_required
@needs_records
def lab_report(request: PatientRequest, report_id: str) -> HttpResponse:
    item, at = records.item(request, "DiagnosticReport", report_id)
    loaded = _needed(load(request, Wanted("Observation", RESULTS, LABORATORY)))
    found = ask_first.read_all(request, loaded.found[0], [Shown(item)])
    one = report(item.resource, found, where_from(Shown(item)))
    if one.progress == Progress.WITHDRAWN:
        raise Http404
    state = state_of_item(request, item, at) or loaded.state
    context = {"report": one, "rows": list_rows(one.results, found), "state": state}
    return render(request, "portal/report.html", context)


@page("result", reads=("Observation",))
@require_GET
@record_required
@needs_records
def result(request: PatientRequest, result_id: str) -> HttpResponse:
    item, at = records.item(request, "Observation", result_id)
    one = observations.read(item.resource)
    if one.progress == Progress.WITHDRAWN:
        raise Http404
    loaded = _same_code(request, one.code) if one.code else None
    found = ask_first.read_all(request, loaded.found[0]) if loaded else []
    group = _group_of(item, loaded)
    one = replace(one, id=item.address, origin=where_from(group))
    if _is_held(request, one):
        return render(request, "portal/result_ask.html", {"result": one})
    context = {
        "result": one,
        "progress": PROGRESS[one.progress],
        "panels": panels(one, found if group.all[1:] or one.id in {r.id for r in found} else [one, *found]),
        "state": state_of_item(request, item, at) or (loaded and loaded.state),
    }
    return render(request, "portal/result.html", context)


@page("trend", reads=("Observation",), states=(Kind.FRESH,))
@require_GET
@record_required
@needs_records
def trend(request: PatientRequest, code: str) -> HttpResponse:
    """All results of one code; the newest speaks for the name."""
    loaded = _needed(_same_code(request, code))
    found = [
        one for one in ask_first.read_all(request, loaded.found[0]) if one.code == code and not one.is_held
    ]
    if not found:
        raise Http404
    context = {
        "result": found[0],
        "panels": panels(found[0], found, most_rows=ALL_ROWS),
        "state": loaded.state,
    }
    return render(request, "portal/trend.html", context)


@page("result-show", reads=("Observation",))
@require_POST
@record_required
@needs_records
def result_show(request: PatientRequest, result_id: str) -> HttpResponse:
    """The answer to "ask me first": yes, for this result."""
    records.item(request, "Observation", result_id)
    ask_first.agree(request, [result_id])
    return redirect("portal:result", result_id)


def _is_held(request: PatientRequest, result: Result) -> bool:
    """Reports, which may say that somebody looked, are read only where it matters."""
    if not ask_first.as_asked(request, result).is_held:
        return False
    reports = load(request, Wanted("DiagnosticReport", REPORTS, LAB_REPORTS)).found[0]
    return not ask_first.signed(reports) & {*result.addresses}


def _same_code(request: PatientRequest, code: str) -> Loaded:
    value = f"{LOINC}|{code}" if code in plain_names.CODES else code
    return load(request, Wanted("Observation", RESULTS, (("code", value),)))


def _group_of(item: Item, loaded: Loaded | None) -> Shown:
    """The item, and those of other EHRs that say the same."""
    for shown in loaded.found[0] if loaded else ():
        if item.address in {each.address for each in shown.all}:
            return shown.seen_from(item.address)
    return Shown(item)


def _needed(loaded: Loaded) -> Loaded:
    """Raises Unavailable where no EHR answered: then there is nothing to show."""
    if loaded.state.kind == Kind.ERROR:
        raise records.Unavailable("no EHR answered", of_ehr=True)
    return loaded
