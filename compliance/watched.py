"""The console's list of records that are watched closely, and where one is put on it, or taken off."""

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from accounts.models import Patient, User
from compliance.activation_codes import patient_of
from consent import watching


class WatchForm(forms.Form):
    patient = forms.CharField(
        label="Patient", max_length=300, help_text="The id of the row, Patient/id, or source/FHIR id."
    )


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """By id only, and by id it is shown: who is on it is not for everybody who walks past."""
    form = WatchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        patient = patient_of(form.cleaned_data["patient"].strip())
        if patient is None:
            form.add_error("patient", "There is no such patient.")
        else:
            _change(request, patient)
            return redirect("admin:watched")
    rows = Patient.objects.filter(watched_since__isnull=False).order_by("-watched_since", "pk")
    context = admin.site.each_context(request) | {"title": "Watched records", "form": form, "rows": rows}
    status = 422 if form.errors else 200
    return TemplateResponse(request, "admin/compliance/watched.html", context, status=status)


def _change(request: HttpRequest, patient: Patient) -> None:
    watched = request.POST.get("do") != "stop"
    if watching.change(patient, watched=watched, by=cast(User, request.user)):
        messages.success(request, "It is watched now." if watched else "It is no longer watched.")
    else:
        messages.warning(request, "Nothing was changed: it was so before, or it is your own record.")
