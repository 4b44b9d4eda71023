"""One visit: what it was about and what was written, or how to get ready for it."""

from functools import partial

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal import ask_first, records, rows, visits
from portal.combining import Shown
from portal.guards import PatientRequest, record_required
from portal.loading import Wanted, load, needs_records, state_of_item
from portal.pages import Offline, page
from portal.records import LABORATORY
from portal.result_page import list_rows
from portal.states import Kind
from portal.views.documents import DOCUMENTS
from portal.views.results import RESULTS


@page(
    "visit",
    reads=("Encounter", "DocumentReference", "Observation"),
    offline=Offline.ALLOWED,
    states=(Kind.FRESH, Kind.PARTIAL),
)
@require_GET
@record_required
@needs_records
def visit(request: PatientRequest, visit_id: str) -> HttpResponse:
    item, at = records.item(request, "Encounter", visit_id)
    row = next(iter(rows.rows_of([Shown(item)], rows.visit)), None)
    if row is None:
        raise Http404
    loaded = load(request, Wanted("DocumentReference", DOCUMENTS), Wanted("Observation", RESULTS, LABORATORY))
    belonging = visits.Belonging.to(item)
    results = ask_first.read_all(request, belonging.of(loaded.found[1]))
    context = {
        "row": row,
        "lines": visits.about_visit(item.resource, str(row.name)),
        "documents": rows.rows_of(belonging.of(loaded.found[0]), rows.document),
        "results": list_rows(results, ask_first.read_all(request, loaded.found[1])),
        "state": state_of_item(request, item, at) or loaded.state,
        "is_whole": loaded.state.is_whole,
    }
    return render(request, "portal/visit.html", context)


@page("appointment", reads=("Appointment",), offline=Offline.ALLOWED)
@require_GET
@record_required
@needs_records
def appointment(request: PatientRequest, appointment_id: str) -> HttpResponse:
    """How to get ready."""
    item, at = records.item(request, "Appointment", appointment_id)
    found = rows.rows_of([Shown(item)], partial(rows.appointment, now=timezone.now()))
    if not found:
        raise Http404
    context = {
        "row": found[0],
        "lines": visits.about_appointment(item.resource, str(found[0].name)),
        "instructions": visits.instructions(item.resource),
        "bring": visits.to_bring(),
        "state": state_of_item(request, item, at),
    }
    return render(request, "portal/appointment.html", context)
