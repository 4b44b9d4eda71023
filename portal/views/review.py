"""Clinicians' queue of proposed changes: what would change, and yes or no."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Patient, User
from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import authority, emergencies
from consent.decision import Reason
from consent.requester import Requester
from consent.vocabulary import categories_of
from fhirproxy import treating
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch, why
from fhirproxy.writes.states import WrongState
from portal import proposed, records
from portal.forms import SendBackForm
from portal.guards import StaffRequest, clinician_required
from portal.pages import page
from portal.readings import pressures_of
from portal.states import Kind

MOST_ROWS = 100
AWAITING = WriteCommand.Status.AWAITING_REVIEW
BLOOD_PRESSURE = "http://loinc.org|85354-9"


@page("review", reads=("WriteCommand",), purpose="TREAT", states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@clinician_required
def review(request: StaffRequest) -> HttpResponse:
    """What waits for this clinician: proposals of the patients that they treat, oldest first."""
    waiting = WriteCommand.objects.filter(
        status=AWAITING, patient__in=treating.patients_of(request.user)
    ).select_related("patient")
    rows = list(waiting.order_by("created_at")[:MOST_ROWS])
    for row in {row.patient_id: row for row in rows}.values():
        _log_look(request, row)
    context = {"rows": [_facts(row) for row in rows], "behind": _waits_behind_a_reason(request.user)}
    return render(request, "portal/review.html", context)


def _waits_behind_a_reason(user: User) -> bool:
    """Whether something waits in a watched record that this clinician would open with a reason first."""
    watched = Patient.objects.filter(watched_since__isnull=False, write_commands__status=AWAITING)
    shut = watched.exclude(pk__in=emergencies.opened_by(user)).exclude(user=user).distinct()
    return any(treating.is_known_to_treat(user, patient) for patient in shut)


@page("review-item", reads=("WriteCommand", "Observation"), purpose="TREAT")
@require_GET
@clinician_required
def item(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    context = {"row": _facts(command), "form": SendBackForm(), "waiting": command.status == AWAITING}
    return render(request, "portal/review_item.html", context | _in_chart(requester))


@require_POST
@clinician_required
def accept(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    try:
        command = commands.approve(command, requester=requester, by=request.user)
    except WrongState:
        return _moved_on(request, command_id)
    dispatch.send(command.id)
    return redirect("portal:review-done", command_id)


@require_POST
@clinician_required
def send_back(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    form = SendBackForm(request.POST)
    if not form.is_valid():
        context = {"row": _facts(command), "form": form, "waiting": command.status == AWAITING}
        context |= _in_chart(requester)
        return render(request, "portal/review_item.html", context, status=422)
    reason = form.cleaned_data["reason"]
    try:
        commands.send_back(command, requester=requester, by=request.user, reason=reason)
    except WrongState:
        return _moved_on(request, command_id)
    return redirect("portal:review-done", command_id)


@page("review-done", reads=("WriteCommand",), purpose="TREAT", states=(Kind.FRESH, Kind.PENDING))
@require_GET
@clinician_required
def done(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, _ = _command(request, command_id)
    return render(request, "portal/review_done.html", {"row": _facts(command)})


def _command(request: StaffRequest, command_id: UUID) -> tuple[WriteCommand, Requester]:
    """The proposal, if it is of a patient whom this clinician treats; else there is none (404)."""
    command = get_object_or_404(WriteCommand.objects.select_related("patient"), id=command_id)
    treats = treating.treats(request.user, command.patient)
    _log_look(request, command, refused=not treats)
    if not treats:
        raise Http404
    now = timezone.now()
    return command, authority.for_clinician(request.user, command.patient, now, treats=treats)


def _log_look(request: StaffRequest, command: WriteCommand, *, refused: bool = False) -> None:
    """A proposal names the patient and says what was measured: to look at it is to read a record."""
    record(
        Entry(
            type=EventType.RECORD_READ,
            outcome=Outcome.DENY if refused else Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role="clinician",
            patient=f"Patient/{command.patient_id}",
            interaction="read",
            resource_types=(command.resource_type,),
            categories=tuple(sorted(categories_of(json.loads(command.resource)))),
            purpose="TREAT",
            reasons=(Reason.ROLE,) if refused else (),
            target=f"WriteCommand/{command.id}",
        )
    )


def _moved_on(request: StaffRequest, command_id: UUID) -> HttpResponse:
    text = pgettext("review.moved_on", "Somebody has dealt with this already. This is how it stands.")
    messages.warning(request, text)
    return redirect("portal:review-item", command_id)


def _facts(command: WriteCommand) -> dict[str, Any]:
    resource = json.loads(command.resource)
    systolic, diastolic = pressures_of(resource)
    return {
        "command": command,
        "patient": command.patient,
        "systolic": systolic,
        "diastolic": diastolic,
        "taken_at": _when(resource),
        "what": proposed.name_of(resource),
        "lines": proposed.lines(resource, json.loads(command.base) if command.base else None),
        "why": why.sentences(command),
        "record_number": proposed.owner_of(resource),
        "age": command.patient.age_on(timezone.localdate()),
    }


def _in_chart(requester: Requester) -> dict[str, Any]:
    """The newest blood pressure in the chart, for the column "now"; `chart_down` where the EHR is."""
    try:
        found = records.search_as(requester, "Observation", ("code", BLOOD_PRESSURE))
    except records.Unavailable:
        return {"now": None, "chart_down": True}
    newest = max(found, key=lambda r: str(r.get("effectiveDateTime", "")), default=None)
    if newest is None:
        return {"now": None, "chart_down": False}
    systolic, diastolic = pressures_of(newest)
    now = {"systolic": systolic, "diastolic": diastolic, "taken_at": _when(newest)}
    return {"now": now, "chart_down": False}


def _when(resource: dict[str, Any]) -> datetime | None:
    try:
        return parse_datetime(str(resource.get("effectiveDateTime", "")))
    except ValueError:
        return None
