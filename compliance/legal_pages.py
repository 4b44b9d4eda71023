"""The console's page of what the law says of one patient: of age, under whose law, able to decide, alive.

Found by id and date of birth, as at the desk; each look and each change is in the patient's log.
"""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import deaths, stepup
from accounts.identities import Refused
from accounts.legal_models import DeathSign, LegalChange
from accounts.models import Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from compliance.activation_codes import PatientForm, patient_of
from consent import ages, leaving, legal
from consent.jurisdictions import table

MOST = 100  # signs of a death on the page
DIED, LIVES = "died", "lives"
WHAT = (
    (LegalChange.What.EMANCIPATED, "A minor whom the law treats as of age, since the day"),
    (LegalChange.What.JURISDICTION, "Whose law on minors holds"),
    (LegalChange.What.CAPACITY, "Cannot decide for themself, since the day"),
    (DIED, "Has died, on the day: all access ends at once"),
    (LIVES, "Lives: what an EHR says is wrong"),
)


class LegalForm(forms.Form):
    what = forms.ChoiceField(label="What", choices=WHAT)
    back = forms.BooleanField(label="It holds no more, or never did: take it back", required=False)
    day = forms.DateField(
        label="The day", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    law = forms.ChoiceField(label="Whose law", required=False)
    evidence = forms.CharField(
        label="What you have seen, and where it is kept",
        help_text="As: order 22-118 of the county court, in the EHR's scans.",
        max_length=200,
        min_length=legal.FEWEST_LETTERS,
    )
    reason = forms.CharField(label="Why", max_length=500, min_length=legal.FEWEST_LETTERS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["law"])
        field.choices = [("", "The clinic's"), *((code, code) for code in sorted(table()))]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        what, back = data.get("what"), data.get("back")
        dated = what in (LegalChange.What.EMANCIPATED, LegalChange.What.CAPACITY, DIED)
        if dated and not back and not data.get("day"):
            self.add_error("day", "Say since which day.")
        if back and what == DIED:
            self.add_error("back", "A death is not taken back here: docs/staff.md says how.")
        return data

    @property
    def value(self) -> str:
        """As `consent.legal.change` takes it."""
        if self.cleaned_data["back"]:
            return ""
        if self.cleaned_data["what"] == LegalChange.What.JURISDICTION:
            return str(self.cleaned_data["law"])
        return str(self.cleaned_data["day"])


@require_http_methods(["GET", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """Whom an EHR calls dead, and the way to a patient by id and birth date."""
    form = PatientForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        patient = patient_of(form.cleaned_data["patient"].strip())
        if patient and patient.birth_date == form.cleaned_data["birth_date"]:
            return redirect("admin:legal", patient.pk)
        form.add_error(None, "There is no such patient of that birth date.")
    signs = DeathSign.objects.filter(settled_at=None).order_by("seen_at")[:MOST]
    context = {"form": form, "signs": signs}
    return _page(request, "people", "Patients before the law", 422 if form.errors else 200, **context)


@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    patient = get_object_or_404(Patient.objects.select_related("user"), pk=patient_id)
    by, form = cast(User, request.user), LegalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        stepup.require(request, stepup.Action.LEGAL)
        try:
            _change(patient, form, by)
        except Refused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "It is done. It holds from the next request, and both sides are told.")
        return redirect("admin:legal", patient.pk)
    if request.method == "GET":
        _log_look(patient, by)
    now = timezone.now()
    context = {
        "patient": patient,
        "age": ages.age_at(patient, now),
        "law": ages.law_of(patient),
        "minor": ages.is_minor(patient, now),
        "form": form,
        "changes": patient.legal_changes.select_related("made_by").order_by("-made_at"),
        "signs": patient.death_signs.order_by("-seen_at"),
        "helpers": patient.helpers.filter(status__in=("asked", "confirmed", "narrowed")),
    }
    return _page(request, "person", f"Patient/{patient.pk}", 422 if form.errors else 200, **context)


def _change(patient: Patient, form: LegalForm, by: User) -> None:
    """Raises Refused."""
    said = form.cleaned_data
    if said["what"] == DIED:
        leaving.record_death(patient, said["day"], by=by)
        deaths.settle(patient, DeathSign.Verdict.DIED, by=by)
    elif said["what"] == LIVES:
        if by.pk == patient.user_id or not deaths.settle(patient, DeathSign.Verdict.LIVES, by=by):
            raise Refused("legal.value", "No EHR says that they have died, or it is about you.")
    else:
        legal.change(
            patient, said["what"], form.value, evidence=said["evidence"], reason=said["reason"], by=by
        )


def _log_look(patient: Patient, by: User) -> None:
    record(
        Entry(
            type=EventType.ADMIN_VIEW,
            outcome=Outcome.PERMIT,
            actor=f"User/{by.pk}",
            role=Role.COMPLIANCE,
            patient=f"Patient/{patient.pk}",
            target=f"Patient/{patient.pk}",
        )
    )


def _page(request: HttpRequest, name: str, title: str, status: int, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole, status=status)
