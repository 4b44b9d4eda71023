"""Something looks wrong: a correction to one item of the record, and a statement where it was refused.

45 CFR 164.526. What is sent is a Communication about the item; once a clinician has said yes it stands in the
chart beside it, which is the amendment that the rule asks for at the least.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from fhirproxy import reading as fhir
from fhirproxy.writes import amendments, bodies
from portal import insurance, observations, outgoing, records, rows, sending
from portal.guards import PatientRequest, keeps_typed, writers_required
from portal.loading import needs_records
from portal.models import Draft
from portal.pages import page
from portal.rows import Row
from portal.send_forms import StatementForm, WrongForm
from portal.sending import Outgoing, Sheet
from portal.series import report

# How a page calls an item of each kind that can be wrong.
NAMED: Mapping[str, Callable[[Any], Row | None]] = {
    "MedicationRequest": rows.medicine,
    "MedicationStatement": rows.medicine,
    "AllergyIntolerance": rows.allergy,
    "Condition": rows.condition,
    "Immunization": rows.vaccine,
    "Encounter": rows.visit,
    "Appointment": lambda resource: rows.appointment(resource, now=timezone.now()),
    "DocumentReference": rows.document,
    "Coverage": insurance.coverage,
    "ExplanationOfBenefit": insurance.claim,
}
OTHERS = frozenset({"Observation", "DiagnosticReport", "CareTeam"})


@page("wrong", reads=(*sorted(NAMED), *sorted(OTHERS), "Draft"))
@require_http_methods(["GET", "POST"])
@writers_required
@needs_records
@keeps_typed
def wrong(request: PatientRequest, resource_type: str, resource_id: str) -> HttpResponse:
    if resource_type not in NAMED and resource_type not in OTHERS:
        raise Http404
    item, _ = records.item(request, resource_type, resource_id)
    name, about = name_of(item.resource), f"{resource_type}/{item.resource['id']}"
    if not item.origin.is_primary:  # who keeps it decides about it
        clinic = records.name_of(request, item.origin)
        return render(request, "portal/wrong_elsewhere.html", {"name": name, "clinic": clinic})
    said = {"patient_id": sending.patient_id(request), "about": about, "name": name}
    sheet = Sheet(
        form=Draft.Form.WRONG,
        about=about,
        template="portal/wrong.html",
        make_form=_form(WrongForm),
        make=lambda form, at: Outgoing(outgoing.correction(**said, at=at, **form.cleaned_data)),
        read_back=outgoing.correction_of,
        context={"name": name, "days": amendments.DAYS.days, "more": amendments.MORE.days},
    )
    return sending.fill(request, sheet)


@page("disagree", reads=("WriteCommand", "Draft"))
@require_http_methods(["GET", "POST"])
@writers_required
@keeps_typed
def disagree(request: PatientRequest, command_id: UUID) -> HttpResponse:
    """A statement of disagreement with a correction that was refused: one, and the clinic has to take it."""
    command = get_object_or_404(request.patient.write_commands, pk=command_id, kind=amendments.KIND)
    if earlier := amendments.statement_of(command):
        return redirect("portal:add-sent", earlier.pk)
    if not amendments.may_disagree(command):
        raise Http404
    refused = bodies.read(command.resource)
    item = fhir.first(refused, "about")
    name, asked = fhir.display(item), outgoing.correction_of(refused)

    def make(form: forms.Form, at: datetime) -> Outgoing:
        return Outgoing(
            outgoing.disagreement(
                patient_id=sending.patient_id(request),
                about=fhir.text(item, "reference"),
                name=name,
                asked=" / ".join(filter(None, (asked["wrong"], asked["right"]))),
                text=form.cleaned_data["text"],
                at=at,
            )
        )

    sheet = Sheet(
        form=Draft.Form.DISAGREE,
        about=str(command.pk),
        template="portal/disagree.html",
        make_form=_form(StatementForm),
        make=make,
        context={"name": name, "command": command, "asked": asked},
    )
    return sending.fill(request, sheet)


def name_of(resource: Mapping[str, Any]) -> str:
    """What its page calls it. Raises Http404 for what no page shows."""
    kind = resource.get("resourceType")
    if kind == "CareTeam":
        return fhir.text(resource, "name") or str(rows.NO_NAME)
    if kind == "Observation":
        found = observations.read(resource)
        return str(found.name)
    if kind == "DiagnosticReport":
        return str(report(resource, []).name)
    row = NAMED[str(kind)](resource)
    if row is None:
        raise Http404
    return str(row.name)


def _form(kind: type[forms.Form]) -> Callable[[Any, Any, Mapping[str, Any]], forms.Form]:
    return lambda data, files, initial: kind(data, initial=dict(initial))
