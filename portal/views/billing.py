"""The desk of billing: of one patient, what a bill is made of.

Each list is asked of the gate in the name of who sits there; which kinds those are is `consent/roles.toml`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import attempts, closeness
from accounts.models import Patient
from audit.events import EventType, Role
from audit.log import Entry, Outcome, record
from consent import authority
from consent.decision import Reason
from consent.requester import Requester
from consent.staff import Action
from consent.vocabulary import Purpose
from fhirproxy import reading as fhir
from fhirproxy.dates import date_words
from portal import insurance, records
from portal.emergency_form import FindForm
from portal.guards import StaffRequest, staff_required
from portal.pages import page
from portal.rows import Row, rows_of
from portal.states import Kind

KEY = "portal.billing"  # of the session: whose account is open, and since when
LIFE = timedelta(minutes=15)
MOST_MISSES, MISSES_WITHIN = 10, timedelta(hours=1)
READS = ("Coverage", "ExplanationOfBenefit", "Claim", "Encounter")


NOT_FOUND = pgettext_lazy("emergency.no.record", "No one record has this name and this day of birth.")
WAIT = pgettext_lazy("emergency.no.wait", "Too many tries. Wait an hour, or ask privacy staff.")
CLOSED = pgettext_lazy("billing.closed", "The rules do not let you see this account. Ask privacy staff.")


@page("billing", reads=("Patient",), purpose="HPAYMT")
@require_http_methods(["GET", "POST"])
@staff_required(Action.BILLING)
def desk(request: StaffRequest) -> HttpResponse:
    """A patient by name and day of birth. Who guesses has to wait."""
    form = FindForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        return _form(request, form)
    attempt = attempts.spend(request.user, most=MOST_MISSES, within=MISSES_WITHIN)
    if attempt is None:
        return _form(request, form, WAIT)
    patient = form.patient()
    if patient is None:
        return _form(request, form, NOT_FOUND)
    attempt.delete()
    if refused := _refused(request, patient):
        _log_look(request, patient, refused)
        return _form(request, form, CLOSED)
    request.session[KEY] = {"patient": str(patient.pk), "at": timezone.now().timestamp()}
    return redirect("portal:billing-account")


@page("billing-account", reads=READS, purpose="HPAYMT", states=(Kind.FRESH, Kind.PARTIAL))
@require_GET
@staff_required(Action.BILLING)
def account(request: StaffRequest) -> HttpResponse:
    """Plans, claims, and the days of visits, as the gate lets them through."""
    patient = _open(request)
    if patient is None:
        return redirect("portal:billing")
    refused = _refused(request, patient)
    _log_look(request, patient, refused)
    if refused:
        raise Http404
    parts = _parts(authority.for_billing(request.user, patient))
    return render(request, "portal/billing_account.html", {"patient": patient, "parts": parts})


def _form(request: StaffRequest, form: FindForm, wrong: str | Promise = "") -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, "portal/billing.html", {"form": form, "wrong": wrong}, status=status)


def _refused(request: StaffRequest, patient: Patient) -> str:
    """Why this record is not for who asks, beside all that the gate says; empty where nothing is."""
    if patient.watched_since:
        return Reason.WATCHED
    return "record.close" if closeness.asks_for_a_reason(request.user, patient) else ""


def _open(request: StaffRequest) -> Patient | None:
    """Whose account is open in this session, for some minutes."""
    kept = request.session.get(KEY)
    if not kept or timezone.now().timestamp() - kept["at"] > LIFE.total_seconds():
        request.session.pop(KEY, None)
        return None
    return Patient.objects.filter(pk=UUID(kept["patient"])).first()


def _parts(requester: Requester) -> list[dict[str, Any]]:
    """Each list with its heading; its rows are None where the EHR is silent."""
    parts = (
        (pgettext("insurance.plans", "Insurance plans"), insurance.coverage, ("Coverage",)),
        (
            pgettext("insurance.bills", "Bills and what the plan paid"),
            insurance.claim,
            ("ExplanationOfBenefit", "Claim"),
        ),
        (pgettext("billing.visits", "Days of visits"), _day_of, ("Encounter",)),
    )
    return [{"heading": heading, "rows": _asked(requester, row, *kinds)} for heading, row, kinds in parts]


def _asked(requester: Requester, row: Any, *kinds: str) -> list[Row] | None:
    found: list[records.Resource] = []
    for kind in kinds:
        try:
            found += records.search_as(requester, kind)
        except records.Unavailable:
            return None
        except Http404:  # nothing of this kind is for them
            continue
    return rows_of(found, row)


def _day_of(encounter: Any) -> Row | None:
    """Encounter: that it was, and when."""
    if fhir.text(encounter, "status") in {"entered-in-error", "cancelled"}:
        return None
    when = fhir.moment(fhir.text(fhir.first(encounter, "period"), "start"))
    return Row(id=fhir.text(encounter, "id"), name=date_words(when), when=when) if when else None


def _log_look(request: StaffRequest, patient: Patient, refused: str) -> None:
    """The page names the patient: to look at it is to read of their record."""
    record(
        Entry(
            type=EventType.RECORD_READ,
            outcome=Outcome.DENY if refused else Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role=Role.BILLING,
            patient=f"Patient/{patient.pk}",
            interaction="read",
            resource_types=("Patient",),
            purpose=Purpose.HPAYMT,
            reasons=(refused,) if refused else (),
        )
    )
