"""Readings that a patient sends to the clinic, and where each one stands."""

import json
import secrets
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from fhirproxy.models import Source, WriteCommand
from fhirproxy.writes import commands
from portal import proposed, records
from portal.forms import BloodPressureForm
from portal.guards import PatientRequest, patient_required
from portal.pages import page
from portal.readings import blood_pressure, is_very_high, pressures_of
from portal.states import Kind

TOO_MANY = pgettext_lazy(
    "add.too_many", "Your clinic has not checked your last readings yet. Wait for it, or call your clinic."
)

REFUSED = (commands.KeyReused, commands.InvalidResource, commands.NotAllowed, commands.ReadOnly)


@page("add", reads=("WriteCommand",), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@patient_required
def add(request: PatientRequest) -> HttpResponse:
    rows = request.patient.write_commands.order_by("-created_at")[:50]
    return render(request, "portal/add.html", {"sent": [_facts(row) for row in rows]})


@page("add-blood-pressure")
@require_http_methods(["GET", "POST"])
@patient_required
def new(request: PatientRequest) -> HttpResponse:
    """The hidden key makes a double click one reading."""
    if request.method == "GET":
        form = BloodPressureForm(initial={"key": secrets.token_urlsafe(16), "taken_at": timezone.localtime()})
        return render(request, "portal/add_blood_pressure.html", {"form": form})
    form = BloodPressureForm(request.POST)
    if not form.is_valid():
        return render(request, "portal/add_blood_pressure.html", {"form": form}, status=422)
    try:
        command = _submit(request, form)
    except commands.TooManyWaiting:
        messages.error(request, TOO_MANY)
        return redirect("portal:add")
    except REFUSED:
        return render(request, "portal/add_refused.html", status=409)
    return redirect("portal:add-sent", command.id)


@page("add-sent", reads=("WriteCommand",), states=(Kind.FRESH, Kind.PENDING))
@require_GET
@patient_required
def sent(request: PatientRequest, command_id: UUID) -> HttpResponse:
    command = get_object_or_404(request.patient.write_commands, id=command_id)
    return render(request, "portal/add_sent.html", {"row": _facts(command)})


def _submit(request: PatientRequest, form: BloodPressureForm) -> WriteCommand:
    requester = records.requester_of(request)
    resource = blood_pressure(
        systolic=form.cleaned_data["systolic"],
        diastolic=form.cleaned_data["diastolic"],
        taken_at=form.cleaned_data["taken_at"],
        patient_id=requester.identities.get(Source.primary().slug, ""),
    )
    return commands.submit(
        resource,
        requester=requester,
        patient=request.patient,
        author=request.user,
        channel="portal",
        idempotency_scope=f"portal/{request.user.pk}",
        idempotency_key=form.cleaned_data["key"],
    )


def _facts(command: WriteCommand) -> dict[str, object]:
    resource = json.loads(command.resource)
    systolic, diastolic = pressures_of(resource)
    is_recent = timezone.now() - command.created_at < timedelta(days=1)
    very_high = is_recent and is_very_high(systolic, diastolic)
    return {"command": command, "systolic": systolic, "diastolic": diastolic, "very_high": very_high} | {
        "what": proposed.name_of(resource)
    }
