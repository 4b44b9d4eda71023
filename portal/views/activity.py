"""Who saw or changed a record, from the audit log itself."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from audit import feed, sentences
from audit.events import EventType, Role
from audit.log import Entry, Outcome, record
from audit.models import AuditEvent
from audit.paragraphs import paragraph
from compliance import investigations
from compliance.names import names_of
from consent.models import ConsentVersion
from consent.vocabulary import Category
from consent.words import CATEGORY
from portal.activity import DEVICES, Line, clients_of, entries_behind, fold, folded_page
from portal.forms import ActivityFilter
from portal.guards import PatientRequest, patient_required, record_required
from portal.pages import page
from portal.states import Kind


@page("activity", reads=("AuditEvent",), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@record_required
def activity(request: PatientRequest) -> HttpResponse:
    """The list, newest first; of others, unless asked for more. Looking at it stands in it too."""
    if request.helping:
        return _own_acts(request)
    form = ActivityFilter(request.GET, apps=clients_of(request.patient))
    if not form.is_valid():
        return render(request, "portal/activity.html", {"form": form}, status=422)
    reference = f"Patient/{request.patient.pk}"
    try:
        found = folded_page(reference, form.filters, form.cleaned_data["after"])
    except feed.BadCursor:
        text = pgettext("activity.cursor", "This link does not work any more. Start at the top of the list.")
        form.add_error(None, text)
        return render(request, "portal/activity.html", {"form": form}, status=422)
    log_reading(request)
    context = {
        "form": form,
        "lines": _rows(request, found.lines),
        "first": not form.cleaned_data["after"],
        "who": form.cleaned_data["who"],
        "filtered": form.is_filtered,
        "older": urlencode(form.chosen | {"after": found.next_cursor}) if found.next_cursor else "",
        "looked_back_to": found.looked_back_to,
    }
    return render(request, f"portal/activity.html{'#lines' if request.htmx else ''}", context)


def _own_acts(request: PatientRequest) -> HttpResponse:
    """What a helper did for this patient, and nothing that anybody else did."""
    about = AuditEvent.objects.filter(
        patient=f"Patient/{request.patient.pk}", actor=f"User/{request.user.pk}"
    )
    try:
        name = f"acting {request.user.pk} {request.patient.pk}"
        found = feed.page_of(about.filter(role=Role.HELPER), name, cursor=request.GET.get("after", ""))
    except feed.BadCursor:
        raise Http404 from None
    names, viewer = names_of(found.events), f"User/{request.user.pk}"
    lines = [
        {
            "line": line,
            "kinds": [CATEGORY[c] for c in Category if c in line.event.categories],
            "looked": line.event.type in (EventType.RECORD_READ, EventType.RECORD_SEARCH),
            "sentence": sentences.sentence(line.event, names, viewer),
        }
        for line in fold(found.events)
    ]
    context = {"lines": lines, "older": found.next_cursor}
    return render(request, "portal/acting_activity.html", context)


def _rows(request: PatientRequest, lines: Sequence[Line]) -> list[dict[str, object]]:
    names, viewer = names_of([line.event for line in lines]), f"User/{request.user.pk}"
    return [
        {
            "line": line,
            "sentence": sentences.sentence(line.event, names, viewer),
            "query": "?line" if len(line.ids) > 1 else "",
        }
        for line in lines
    ]


@page("activity-event", reads=("AuditEvent",))
@require_GET
@patient_required
def event(request: PatientRequest, event_id: UUID) -> HttpResponse:
    """One event; with `?line`, also the others that its line of the list stands for."""
    found = own_event(request, event_id)
    entries = entries_behind(found) if "line" in request.GET else []
    log_reading(request)
    names, viewer = names_of([found, *entries]), f"User/{request.user.pk}"
    told = [{"event": entry, "sentence": sentences.sentence(entry, names, viewer)} for entry in entries]
    context = {
        "event": found,
        "entries": told if len(told) > 1 else [],
        "sentence": sentences.sentence(found, names, viewer),
        "paragraph": paragraph(found),
        "version": _version(request, found),
        "device": DEVICES.get(str(found.context.get("device", ""))),
        "question": request.patient.investigations.filter(
            events__event_id=found.id, status__in=investigations.OPEN, origin="patient"
        ).first(),
        "own": found.actor == viewer,
    }
    return render(request, "portal/activity_event.html", context)


def own_event(request: PatientRequest, event_id: UUID) -> AuditEvent:
    """An event of the patient's own list. Raises Http404."""
    return get_object_or_404(AuditEvent.objects.filter(patient=f"Patient/{request.patient.pk}"), id=event_id)


def _version(request: PatientRequest, found: AuditEvent) -> ConsentVersion | None:
    """What the patient had agreed to when it happened."""
    if not found.consent or found.consent_number is None:
        return None
    versions = ConsentVersion.objects.filter(consent__patient=request.patient).select_related("consent")
    consent_id = UUID(found.consent.removeprefix("Consent/"))
    return versions.filter(consent=consent_id, number=found.consent_number).first()


def log_reading(request: PatientRequest, event: EventType = EventType.AUDIT_READ, **fields: str) -> None:
    """A look at one's own list stands in the list."""
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=f"User/{request.user.pk}",
            role="patient",
            patient=f"Patient/{request.patient.pk}",
            detail=fields,
        )
    )
