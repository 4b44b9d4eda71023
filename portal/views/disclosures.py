"""The list of who got a patient's records from the clinic without being asked to (45 CFR 164.528)."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.stepup import Action
from audit.events import EventType
from audit.sentences import what
from compliance import disclosures as accounting
from portal.activity_downloads import csv_file, disclosure_rows
from portal.guards import SAFE, PatientRequest, patient_required
from portal.pages import page
from portal.stepup import step_up
from portal.views.activity import log_reading


@page("disclosures", reads=("AuditEvent", "DisclosureRequest"))
@require_http_methods(["GET", "POST"])
@patient_required
def disclosures(request: PatientRequest) -> HttpResponse:
    """What was asked for, until when it is answered, and the list once it is."""
    if request.method == "POST":
        accounting.ask(request.patient, by=request.user)
        return redirect("portal:disclosures")
    asked = list(request.patient.disclosure_requests.all()[:10])
    answered = next((one for one in asked if one.answered_at), None)
    lines = []
    if answered:
        log_reading(request)
        lines = [
            {"line": line, "what": what(sorted(line.categories))}
            for line in accounting.accounting(request.patient, at=answered.answered_at)
        ]
    context = {
        "waiting": next((one for one in asked if not one.answered_at), None),
        "answered": answered,
        "lines": lines,
    }
    return render(request, "portal/disclosures.html", context)


@require_GET
@patient_required
@step_up(Action.EXPORT, methods=SAFE, is_file=True)
def file(request: PatientRequest, asked_id: UUID) -> HttpResponse:
    answered = get_object_or_404(request.patient.disclosure_requests, pk=asked_id, answered_at__isnull=False)
    log_reading(request, EventType.AUDIT_DOWNLOAD, format="csv")
    lines = accounting.accounting(request.patient, at=answered.answered_at)
    return csv_file("disclosures.csv", disclosure_rows(lines))
