"""The code with which a patient makes their account: made and printed here, shown once."""

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts import activation
from accounts.models import Patient, User
from consent import ages


class PatientForm(forms.Form):
    patient = forms.CharField(
        label="Patient",
        max_length=300,
        help_text="The id of the row, Patient/id, or source/FHIR id.",
        error_messages={"required": "Say for whom the code is."},
    )
    birth_date = forms.DateField(
        label="Birth date, as the person before you says it",
        widget=forms.DateInput(attrs={"type": "date"}),
    )


def page(request: HttpRequest) -> HttpResponse:
    """One answer for a patient that there is not and for one of another birth date."""
    form, code, patient = PatientForm(request.POST or None), "", None
    if request.method == "POST" and form.is_valid():
        patient = patient_of(form.cleaned_data["patient"].strip())
        try:
            if patient is None or patient.birth_date != form.cleaned_data["birth_date"]:
                raise activation.Refused("There is no such patient of that birth date.")
            ages.check_sign_in(patient, timezone.now())
            code = activation.issue(patient, by=request.user if isinstance(request.user, User) else None)
        except activation.Refused as error:
            form.add_error(None, str(error))
    context = admin.site.each_context(request) | {
        "title": "Print an activation code",
        "form": form,
        "code": code,
        "patient": patient,
        "days": activation.LASTS.days,
        "address": f"{settings.BASE_URL}/activate/",
    }
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/compliance/activation.html", context, status=status)


def patient_of(said: str) -> Patient | None:
    """By the id of the row, Patient/id, or source/FHIR id."""
    source, _, id = said.rpartition("/")
    try:
        if source in ("", "Patient"):
            return Patient.objects.filter(pk=id).first()
    except ValidationError:
        return None
    return Patient.objects.filter(
        identities__source=source, identities__fhir_id=id, identities__ended_at=None
    ).first()
