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
from portal.activity import fold, names_of
from portal.forms import ActivityFilter
from portal.guards import PatientRequest, patient_required
from portal.pages import page
from portal.states import Kind


@page("activity", reads=("AuditEvent",), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@patient_required
def activity(request: PatientRequest) -> HttpResponse:
    """The list, newest first. Looking at it stands in it too."""
    chosen = ActivityFilter(request.GET)
    if not chosen.is_valid():
        return redirect("portal:activity")
    filters = {"who": chosen.cleaned_data["who"], "result": chosen.cleaned_data["result"]}
    reference = f"Patient/{request.patient.pk}"
    try:
        found = feed.page(reference, cursor=chosen.cleaned_data["after"], **filters)
    except feed.BadCursor:
        return redirect("portal:activity")
    _log_reading(request, reference)
    names = names_of(found.events)
    viewer = f"User/{request.user.pk}"
    lines = [
        {"line": line, "sentence": sentences.sentence(line.event, names, viewer)}
        for line in fold(found.events)
    ]
    context = {"lines": lines, "form": chosen, "filters": filters, "next": found.next_cursor}
    return render(request, "portal/activity.html", context | {"filtered": any(filters.values())})


@page("activity-event", reads=("AuditEvent",))
@require_GET
@patient_required
def event(request: PatientRequest, event_id: UUID) -> HttpResponse:
    reference = f"Patient/{request.patient.pk}"
    found = get_object_or_404(AuditEvent.objects.filter(patient=reference), id=event_id)
    _log_reading(request, reference)
    names = names_of([found])
    context = {
        "event": found,
        "sentence": sentences.sentence(found, names, f"User/{request.user.pk}"),
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
