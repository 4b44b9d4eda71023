"""A clinician's look at a record: of a patient whom they treat, or in an emergency for some minutes.

These are pages of their own, which ask the gate in the clinician's name. Nobody sees a patient's pages
as that patient: there is no such page, route or command.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import closeness, stepup
from accounts.models import Patient
from accounts.stepup import Action
from consent import authority, emergencies
from consent.decision import Reason
from consent.emergency_models import EmergencyAccess
from consent.requester import Requester
from fhirproxy import treating
from portal import observations, records, rows
from portal.emergency_form import EmergencyForm
from portal.guards import StaffRequest, clinician_required
from portal.pages import StepUp, page
from portal.records import Resource
from portal.rows import Row
from portal.states import Kind
from portal.views.launch import log_look

MOST_RESULTS, MOST_VISITS = 20, 10
READS = (
    *("AllergyIntolerance", "MedicationRequest", "MedicationStatement"),
    *("Condition", "Observation", "Encounter"),
)
REFUSALS = {
    "emergency.own": pgettext_lazy("emergency.no.own", "This is your own record. Open it on your own pages."),
    "consent.denied": pgettext_lazy(
        "emergency.no.denied", "This patient said no to this. Their record stays closed."
    ),
    "emergency.treating": pgettext_lazy(
        "emergency.no.treating", "The chart does not say that you treat this patient. Choose another reason."
    ),
    "account.closed": pgettext_lazy("emergency.no.closed", "Your account is closed."),
}
NOT_FOUND = pgettext_lazy("emergency.no.record", "No one record has this name and this day of birth.")
WAIT = pgettext_lazy("emergency.no.wait", "Too many tries. Wait an hour, or ask privacy staff.")
OTHER = pgettext_lazy("emergency.no.other", "The rules do not let you open this record.")


@page("emergency", reads=("Patient",), purpose="ETREAT", step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@clinician_required
def emergency(request: StaffRequest) -> HttpResponse:
    """The reason first, then the proof that it is them, then the record; nothing is said before that."""
    form = EmergencyForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        return _form(request, form)
    stepup.require(request, Action.BREAK_GLASS)
    if not emergencies.may_look(request.user):
        return _form(request, form, WAIT)
    patient = form.patient()
    if patient is None:
        emergencies.missed(request.user)
        return _form(request, form, NOT_FOUND)
    said = form.cleaned_data
    on_team = treating.is_known_to_treat(request.user, patient)
    try:
        emergencies.open_record(request.user, patient, why=said["why"], text=said["text"], on_team=on_team)
    except emergencies.Refused as refused:
        return _form(request, form, REFUSALS.get(refused.code, OTHER))
    return redirect("portal:chart", patient.pk)


def _form(request: StaffRequest, form: EmergencyForm, wrong: str | Promise = "") -> HttpResponse:
    context = {"form": form, "wrong": wrong, "minutes": settings.EMERGENCY_MINUTES}
    return render(request, "portal/emergency.html", context, status=422 if form.is_bound else 200)


@page("chart", reads=READS, purpose="TREAT", states=(Kind.FRESH, Kind.PARTIAL))
@require_GET
@clinician_required
def chart(request: StaffRequest, patient_id: UUID) -> HttpResponse:
    """What is needed first, each part as the gate lets it through; 404 for anybody else's patient."""
    patient = get_object_or_404(Patient, pk=patient_id)
    view = emergencies.running(request.user, patient)
    if view and not view.is_treating:
        requester = authority.for_emergency(request.user, patient)
    else:
        if not treating.is_known_to_treat(request.user, patient) or patient.user_id == request.user.pk:
            log_look(request, patient, refused=True)
            raise Http404
        if view is None and closeness.asks_for_a_reason(request.user, patient):
            reason = Reason.WATCHED if patient.watched_since else "record.close"
            log_look(request, patient, refused=True, reason=reason)
            return render(request, "portal/chart_close.html", {"patient": patient}, status=403)
        log_look(request, patient)
        requester = authority.for_clinician(
            request.user, patient, timezone.now(), treats=True, reason_given=view is not None
        )
    context: dict[str, Any] = {"patient": patient, "view": view, "parts": _parts(requester)}
    context["minutes"] = _minutes_left(view) if view else 0
    return render(request, "portal/chart.html", context)


@require_POST
@clinician_required
def end(request: StaffRequest, patient_id: UUID) -> HttpResponse:
    """Close it now: the page it was on is not there any more."""
    view = emergencies.running(request.user, get_object_or_404(Patient, pk=patient_id))
    if view and emergencies.end(view, by=request.user):
        messages.success(request, pgettext("emergency.ended", "The record is closed."))
    else:
        messages.info(request, pgettext("emergency.over", "The time was over. The record was closed before."))
    return redirect("portal:review")


def _minutes_left(view: EmergencyAccess) -> int:
    """Whole minutes, the one that runs counted."""
    return max(1, -(-int((view.ends_at - timezone.now()).total_seconds()) // 60))


def _parts(requester: Requester) -> list[dict[str, Any]]:
    """One part of the record after the other: its heading, and its rows; None where the EHR is silent."""
    medicines = ("MedicationRequest", "MedicationStatement")
    parts = (
        (pgettext("chart.allergies", "Allergies"), _asked(requester, _allergies, "AllergyIntolerance")),
        (pgettext("chart.medicines", "Medicines"), _asked(requester, _current(rows.medicine), *medicines)),
        (
            pgettext("chart.conditions", "Conditions"),
            _asked(requester, _current(rows.condition), "Condition"),
        ),
        (pgettext("chart.results", "Test results"), _asked(requester, _results, "Observation")),
        (pgettext("chart.visits", "Visits"), _asked(requester, _visits, "Encounter")),
    )
    return [{"heading": heading, "rows": found} for heading, found in parts]


def _allergies(found: list[Resource]) -> list[Row]:
    """Also that there are none, where the record says so."""
    none = rows.no_known_allergies(found)
    return _current(rows.allergy)(found) or ([none] if none else [])


def _current(reader: Callable[[Resource], Row | None]) -> Callable[[list[Resource]], list[Row]]:
    return lambda found: rows.merged(row for row in rows.rows_of(found, reader) if row.is_current)


def _results(found: list[Resource]) -> list[Row]:
    newest = observations.read_all(found)[:MOST_RESULTS]
    return [Row(id=r.id, name=str(r.name), when=r.when, details=(r.shown,)) for r in newest]


def _visits(found: list[Resource]) -> list[Row]:
    return rows.rows_of(found, rows.visit)[:MOST_VISITS]


def _asked(
    requester: Requester, reader: Callable[[list[Resource]], list[Row]], *kinds: str
) -> list[Row] | None:
    """All kinds together, or none: half a list of medicines would look like a whole one."""
    params = records.LABORATORY if kinds == ("Observation",) else ()
    found: list[Resource] = []
    for kind in kinds:
        try:
            found += records.search_as(requester, kind, *params)
        except records.Unavailable:
            return None
        except Http404:  # nothing of this kind is for them
            continue
    return reader(found)
