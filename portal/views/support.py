"""The desk of support: a patient by the code that they read out, and how their account stands.

No page here asks the gate for a record, names a kind of record, or shows a value.
"""

from typing import Any, cast
from uuid import UUID

from allauth.account.forms import ResetPasswordForm
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import elevations, stepup, support
from accounts.elevation_models import Elevation
from accounts.models import Patient
from consent import staff
from consent.staff import Action
from portal import account_state
from portal.guards import PatientRequest, StaffRequest, patient_required, staff_required
from portal.pages import StepUp, page

KEY = "portal.support"  # of the session: whose account is open, and since when
WHY = {
    Elevation.Why.IDENTITY: pgettext_lazy("elevation.why.identity", "To be sure who is calling"),
    Elevation.Why.LOCKED_OUT: pgettext_lazy("elevation.why.locked_out", "They cannot sign in"),
    Elevation.Why.FAULT: pgettext_lazy("elevation.why.fault", "Something does not work for them"),
    Elevation.Why.SECURITY: pgettext_lazy("elevation.why.security", "Someone else may use the account"),
}
AT_ONCE = pgettext_lazy("elevation.refused", "You see more already. End that first.")
WATCHED = pgettext_lazy("elevation.watched", "This record is watched closely. Ask privacy staff for help.")


class CodeForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("support.code", "The code that the patient reads out"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": pgettext_lazy("support.code_needed", "Enter the code.")},
    )


class ElevationForm(forms.Form):
    why = forms.ChoiceField(
        label=pgettext_lazy("elevation.why", "Why you need to see more"),
        choices=[(code.value, WHY[code]) for code in Elevation.Why],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("review.reason_needed", "Choose a reason.")},
    )
    text = forms.CharField(
        label=pgettext_lazy("elevation.text", "What the patient asked for"),
        min_length=elevations.FEWEST_LETTERS,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": pgettext_lazy("elevation.text_needed", "Write what they asked for."),
            "min_length": pgettext_lazy("elevation.text_short", "Write a little more."),
        },
    )
    ticket = forms.RegexField(
        elevations.TICKET,
        label=pgettext_lazy("elevation.ticket", "Ticket number"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": pgettext_lazy("elevation.ticket_needed", "Enter the ticket number."),
            "invalid": pgettext_lazy("elevation.ticket_invalid", "Use letters, digits and dashes only."),
        },
    )


@page("help-code")
@require_http_methods(["GET", "POST"])
@patient_required
def help_code(request: PatientRequest) -> HttpResponse:
    """For the patient: a code to read out on the phone."""
    code = support.make_code(request.patient, by=request.user) if request.method == "POST" else ""
    minutes = support.LIFE.total_seconds() / 60
    return render(request, "portal/help_code.html", {"code": code, "minutes": minutes})


@page("support", reads=("Patient",), purpose="HOPERAT")
@require_http_methods(["GET", "POST"])
@staff_required(Action.SUPPORT)
def desk(request: StaffRequest) -> HttpResponse:
    form, wrong = CodeForm(request.POST or None), False
    if request.method == "POST" and form.is_valid():
        try:
            patient = support.find(form.cleaned_data["code"], by=request.user)
        except support.Refused:
            wrong = True
        else:
            request.session[KEY] = {"patient": str(patient.pk), "at": timezone.now().timestamp()}
            return redirect("portal:support-account")
    return render(
        request, "portal/support.html", {"form": form, "wrong": wrong}, status=422 if form.is_bound else 200
    )


@page("support-account", reads=("Patient", "Consent", "ExportJob"), purpose="HOPERAT")
@require_GET
@staff_required(Action.SUPPORT)
def account(request: StaffRequest) -> HttpResponse:
    """Masked, but for the minutes of an elevation for this patient."""
    patient = _open(request)
    if patient is None:
        return redirect("portal:support")
    support.looked(patient, by=request.user)
    elevation = elevations.running(request.user)
    here = elevation is not None and elevation.patient_id == patient.pk
    reference = request.GET.get("reference", "").strip()
    context: dict[str, Any] = {
        "masked": account_state.masked(patient),
        "state": account_state.state_of(patient),
        "elevation": elevation if here else None,
        "patient": patient if here and staff.may(request.user, Action.IDENTITY) else None,
        "form": ElevationForm(),
        "reference": reference,
        "seen": account_state.what_they_saw(patient, reference) if reference else (),
    }
    return render(request, "portal/support_account.html", context)


@page("support-elevate", reads=("Patient",), purpose="HOPERAT", step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@staff_required(Action.ELEVATE)
def elevate(request: StaffRequest) -> HttpResponse:
    patient = _open(request)
    if patient is None:
        return redirect("portal:support")
    form = ElevationForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        context = {"form": form, "minutes": settings.ELEVATION_MINUTES}
        return render(request, "portal/support_elevate.html", context, status=422 if form.is_bound else 200)
    stepup.require(request, stepup.Action.ELEVATION)
    try:
        elevations.start(request.user, patient=patient, **form.cleaned_data)
    except elevations.Refused as refused:
        messages.error(request, WATCHED if refused.code == "record.watched" else AT_ONCE)
    return redirect("portal:support-account")


@require_POST
@staff_required(Action.SUPPORT)
def end(request: StaffRequest) -> HttpResponse:
    elevation = elevations.running(request.user)
    if elevation:
        elevations.end(elevation)
    return redirect("portal:support-account")


@require_POST
@staff_required(Action.SUPPORT)
def reset(request: StaffRequest) -> HttpResponse:
    """Send the patient the usual link for a new password, to the address that they have."""
    patient = _open(request)
    if patient is None:
        return redirect("portal:support")
    user = patient.user
    form = ResetPasswordForm({"email": user.email}) if user and user.is_active else None
    if form and form.is_valid():
        form.save(cast(HttpRequest, request))
        support.helped(patient, by=request.user, what="password-reset")
        messages.success(request, pgettext("support.reset.done", "The link is on its way to their address."))
    else:
        messages.error(
            request, pgettext("support.reset.none", "This account cannot sign in. Nothing was sent.")
        )
    return redirect("portal:support-account")


def _open(request: StaffRequest) -> Patient | None:
    """Whose account is open in this session, for as long as a code lives."""
    kept = request.session.get(KEY)
    if not kept or timezone.now().timestamp() - kept["at"] > support.LIFE.total_seconds():
        request.session.pop(KEY, None)
        return None
    return Patient.objects.select_related("user").filter(pk=UUID(kept["patient"])).first()
