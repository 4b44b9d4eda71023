"""Who saw or changed a record, from the audit log itself."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from audit import feed, sentences
from audit.events import EventType
from audit.log import Entry, Outcome, record
from audit.models import AuditEvent
from audit.paragraphs import paragraph
from portal.activity import entries_behind, fold, names_of
from portal.forms import ActivityFilter
from portal.guards import PatientRequest, patient_required
from portal.pages import page
from portal.states import Kind


@page("activity", reads=("AuditEvent",), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@patient_required
def activity(request: PatientRequest) -> HttpResponse:
    """The list, newest first; of others, unless asked for more. Looking at it stands in it too."""
    chosen = ActivityFilter(request.GET)
    if not chosen.is_valid():
        return redirect("portal:activity")
    filters = {"who": chosen.cleaned_data["who"], "result": chosen.cleaned_data["result"]}
    reference, who = f"Patient/{request.patient.pk}", filters["who"]
    try:
        found = feed.page(
            reference,
            cursor=chosen.cleaned_data["after"],
            who="" if who == "everyone" else who,
            result=filters["result"],
        )
    except feed.BadCursor:
        return redirect("portal:activity")
    _log_reading(request, reference)
    names = names_of(found.events)
    viewer = f"User/{request.user.pk}"
    lines = [
        {
            "line": line,
            "sentence": sentences.sentence(line.event, names, viewer),
            "query": "?line" if len(line.ids) > 1 else "",
        }
        for line in fold(found.events)
    ]
    context = {"lines": lines, "form": chosen, "filters": filters, "next": found.next_cursor}
    filtered = bool(filters["result"]) or who not in {"others", "everyone"}
    return render(request, "portal/activity.html", context | {"filtered": filtered})


@page("activity-event", reads=("AuditEvent",))
@require_GET
@patient_required
def event(request: PatientRequest, event_id: UUID) -> HttpResponse:
    """One event; with `?line`, also the others that its line of the list stands for."""
    reference, viewer = f"Patient/{request.patient.pk}", f"User/{request.user.pk}"
    found = get_object_or_404(AuditEvent.objects.filter(patient=reference), id=event_id)
    entries = entries_behind(found) if "line" in request.GET else []
    _log_reading(request, reference)
    names = names_of([found, *entries])
    told = [{"event": entry, "sentence": sentences.sentence(entry, names, viewer)} for entry in entries]
    context = {
        "event": found,
        "entries": told if len(told) > 1 else [],
        "sentence": sentences.sentence(found, names, viewer),
        "paragraph": paragraph(found),
        "consent": request.patient.consents.filter(id__in=_consent_ids(found)).first(),
    }
    return render(request, "portal/activity_event.html", context)


def _consent_ids(found: AuditEvent) -> list[UUID]:
    return [UUID(found.consent.removeprefix("Consent/"))] if found.consent else []


def _log_reading(request: PatientRequest, reference: str) -> None:
    record(
        Entry(
            type=EventType.AUDIT_READ,
            outcome=Outcome.DONE,
            actor=f"User/{request.user.pk}",
            role="patient",
            patient=reference,
        )
    )
