"""The activity list to keep: as a file, on paper, and with what checks it."""

from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from accounts.stepup import Action
from audit import evidence, feed
from audit.events import EventType
from audit.models import AuditEvent
from portal import activity_downloads as downloads
from portal.activity import clients_of
from portal.forms import ActivityFilter
from portal.guards import SAFE, PatientRequest, patient_required
from portal.pages import StepUp, page
from portal.stepup import step_up
from portal.views.activity import log_reading

KINDS = {"csv": "activity.csv", "ndjson": "activity.ndjson", "pdf": "activity.pdf"}


@page("activity-list", reads=("AuditEvent",))
@require_GET
@patient_required
def saving(request: PatientRequest) -> HttpResponse:
    """Which days, and as what."""
    form = _form(request)
    valid = form.is_valid()
    context = {
        "form": form,
        "most": downloads.MOST_EVENTS,
        "most_printed": downloads.MOST_PRINTED,
        "key": evidence.key(),
    }
    return render(request, "portal/activity_list.html", context, status=200 if valid else 422)


@require_GET
@patient_required
@step_up(Action.EXPORT, methods=SAFE, is_file=True)
def file(request: PatientRequest, kind: str) -> HttpResponseBase:
    """The list of the days that were chosen, newest first. Saving it stands in it from then on."""
    form = _form(request)
    if not form.is_valid():
        return saving(request)
    log_reading(request, EventType.AUDIT_DOWNLOAD, format=kind)
    viewer = f"User/{request.user.pk}"
    most = downloads.MOST_PRINTED if kind == "pdf" else downloads.MOST_EVENTS
    events = _events(request, form, most)
    if kind == "ndjson":
        return downloads.ndjson_file(KINDS[kind], events)
    if kind == "csv":
        return downloads.csv_file(KINDS[kind], downloads.event_rows(events, viewer))
    return downloads.pdf_file(KINDS[kind], _title(request), downloads.printed_lines(events, viewer))


@page("activity-print", reads=("AuditEvent",), step_up=StepUp.FRESH)
@require_GET
@patient_required
@step_up(Action.EXPORT, methods=SAFE)
def printed(request: PatientRequest) -> HttpResponseBase:
    """The list as a page for paper: in every script, and with its structure for screen readers."""
    form = _form(request)
    if not form.is_valid():
        return saving(request)
    log_reading(request, EventType.AUDIT_DOWNLOAD, format="print")
    events = _events(request, form, downloads.MOST_PRINTED)
    rows = [
        {"event": event, "sentence": sentence}
        for event, sentence, _ in downloads.told(events, f"User/{request.user.pk}")
    ]
    context = {"rows": rows, "title": _title(request), "most": downloads.MOST_PRINTED}
    return render(request, "portal/activity_print.html", context)


@require_GET
@patient_required
def verifier(request: PatientRequest) -> HttpResponse:
    """The program that checks the list; it needs Python and nothing of ours."""
    disposition = f'attachment; filename="{evidence.VERIFIER.name}"'
    headers = {"Content-Disposition": disposition}
    return HttpResponse(evidence.VERIFIER.read_bytes(), content_type="text/x-python", headers=headers)


def _form(request: PatientRequest) -> ActivityFilter:
    asked = request.GET.copy()
    asked.setdefault("who", "everyone")
    return ActivityFilter(asked, apps=clients_of(request.patient))


def _events(request: PatientRequest, form: ActivityFilter, most: int) -> Iterator[AuditEvent]:
    wanted = form.filters
    events = AuditEvent.objects.filter(
        wanted.looking(), wanted.within(), patient=f"Patient/{request.patient.pk}"
    )
    return events.order_by(*feed.NEWEST_FIRST)[:most].iterator(downloads.BATCH)


def _title(request: PatientRequest) -> str:
    day = date_format(timezone.localdate(), "DATE_FORMAT")
    text = pgettext("activity.list.of", "Who saw or changed the records of {name}, as of {date}")
    return text.format(name=request.patient.name, date=day)
