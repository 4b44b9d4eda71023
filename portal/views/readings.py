"""A reading that a patient takes at home and sends to the clinic."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from fhirproxy.models import WriteCommand
from portal import sending
from portal.forms import BloodPressureForm
from portal.guards import PatientRequest, keeps_typed, writers_required
from portal.models import Draft
from portal.pages import page
from portal.readings import blood_pressure, pressures_of
from portal.sending import Outgoing, Sheet


@page("add-blood-pressure", reads=("Draft",))
@require_http_methods(["GET", "POST"])
@writers_required
@keeps_typed
def new(request: PatientRequest) -> HttpResponse:
    patient_id = sending.patient_id(request)

    def make(form: forms.Form, at: datetime) -> Outgoing:
        resource = blood_pressure(**form.cleaned_data, patient_id=patient_id)
        return Outgoing(resource, origin=WriteCommand.Origin.MEASURED)

    sheet = Sheet(
        form=Draft.Form.READING,
        template="portal/add_blood_pressure.html",
        make_form=lambda data, files, initial: BloodPressureForm(data, initial=dict(initial)),
        make=make,
        read_back=_read_back,
        initial=BloodPressureForm.now(),
    )
    return sending.fill(request, sheet)


def _read_back(resource: Any) -> dict[str, object]:
    """Of a reading that came back: the numbers may be wrong, the time is that of a new one."""
    systolic, diastolic = pressures_of(resource)
    return {"systolic": systolic, "diastolic": diastolic}
