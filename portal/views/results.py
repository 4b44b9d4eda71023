"""Test results and vital signs: the list, one report, one result, one measure over time."""

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from portal import observations, plain_names, records
from portal.fhir import LOINC
from portal.guards import PatientRequest, patient_required
from portal.lab_words import PROGRESS
from portal.loading import Wanted, load, needs_records
from portal.observations import Progress, Result
from portal.pages import page
from portal.result_page import folded, list_rows, panels
from portal.series import grouped, newest_of_each, report
from portal.states import Kind

RESULTS = pgettext_lazy("records.results", "Test results")
VITALS = pgettext_lazy("records.vitals", "Vital signs")
REPORTS = pgettext_lazy("records.reports", "Lab reports")
LABORATORY, VITAL_SIGNS = (("category", "laboratory"),), (("category", "vital-signs"),)
GROUPS_ON_A_PAGE = 10
ALL_ROWS = 500


@page(
    "results",
    reads=("DiagnosticReport", "Observation"),
    states=(Kind.FRESH, Kind.PARTIAL, Kind.EMPTY, Kind.ERROR),
)
@require_GET
@patient_required
def results(request: PatientRequest) -> HttpResponse:
    loaded = load(
        request,
        Wanted("Observation", RESULTS, LABORATORY),
        Wanted("DiagnosticReport", REPORTS, (("category", "LAB"),)),
    )
    found = observations.read_all(loaded.found[0])
    shown = Paginator(grouped(loaded.found[1], found), GROUPS_ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "title": RESULTS,
        "state": loaded.state,
        "page": shown,
        "groups": [(group, *folded(list_rows(group.results, found))) for group in shown],
    }
    return render(request, "portal/results.html", context, status=loaded.status)


@page("vitals", reads=("Observation",), states=(Kind.FRESH, Kind.EMPTY, Kind.ERROR))
@require_GET
@patient_required
def vitals(request: PatientRequest) -> HttpResponse:
    """The newest of each measure; its page has the others."""
    loaded = load(request, Wanted("Observation", VITALS, VITAL_SIGNS))
    found = observations.read_all(loaded.found[0])
    context = {"title": VITALS, "state": loaded.state, "rows": list_rows(newest_of_each(found), found)}
    return render(request, "portal/vitals.html", context, status=loaded.status)


@page("report", reads=("DiagnosticReport", "Observation"))
@require_GET
@patient_required
@needs_records
def lab_report(request: PatientRequest, report_id: str) -> HttpResponse:
    resource = records.read(request, "DiagnosticReport", report_id)
    found = observations.read_all(records.search(request, "Observation", *LABORATORY))
    one = report(resource, found)
    if one.progress == Progress.WITHDRAWN:
        raise Http404
    context = {"report": one, "rows": list_rows(one.results, found)}
    return render(request, "portal/report.html", context)


@page("result", reads=("Observation",))
@require_GET
@patient_required
@needs_records
def result(request: PatientRequest, result_id: str) -> HttpResponse:
    one = observations.read(records.read(request, "Observation", result_id))
    if one.progress == Progress.WITHDRAWN:
        raise Http404
    found = _same_code(request, one.code) if one.code else [one]
    return render(
        request,
        "portal/result.html",
        {"result": one, "progress": PROGRESS[one.progress], "panels": panels(one, found)},
    )


@page("trend", reads=("Observation",), states=(Kind.FRESH,))
@require_GET
@patient_required
@needs_records
def trend(request: PatientRequest, code: str) -> HttpResponse:
    """All results of one code; the newest speaks for the name."""
    found = [one for one in _same_code(request, code) if one.code == code]
    if not found:
        raise Http404
    context = {"result": found[0], "panels": panels(found[0], found, most_rows=ALL_ROWS)}
    return render(request, "portal/trend.html", context)


def _same_code(request: PatientRequest, code: str) -> list[Result]:
    value = f"{LOINC}|{code}" if code in plain_names.CODES else code
    return observations.read_all(records.search(request, "Observation", ("code", value)))
