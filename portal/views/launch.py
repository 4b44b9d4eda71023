"""Opening an app from our own pages, for oneself or for a patient whom one treats (SMART 2.2, EHR launch)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.settings import oauth2_settings

from accounts.models import Patient
from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import authority
from consent.decision import Reason
from fhirproxy import treating
from portal import records
from portal.guards import PatientRequest, StaffRequest, clinician_required, copies_required
from portal.pages import page
from portal.states import Kind
from portal.subjects import MOST
from portal.views.authorize import who
from smart import launches
from smart.models import Client

VISITS = 20  # the latest, to choose from
# What a visit refers to that an app may want to know (fhirContext: never Patient or Encounter).
ABOUT = {"Organization": ("serviceProvider",), "Location": ("location", "location")}


@dataclass(frozen=True, slots=True)
class Visit:
    id: str
    name: str
    at: datetime | None
    context: tuple[dict[str, str], ...]  # fhirContext


@page("launch", reads=("Client",), states=(Kind.FRESH, Kind.EMPTY))
@require_http_methods(["GET", "POST"])
@copies_required
def open_app(request: PatientRequest) -> HttpResponse:
    """What will be opened, then the app: it learns that it was opened here, and nothing of the record.

    A helper opens it for whom they act for, if they may connect apps.
    """
    wanted = (request.POST if request.method == "POST" else request.GET).get("app", "")
    client = _launchable(wanted)
    if client is None:
        context = {"apps": _apps(), "gone": bool(wanted), "relation": request.helping}
        return render(request, "portal/launch.html", context, status=404 if wanted else 200)
    if request.method == "POST":
        location = launches.begin(client, user=request.user, patient=request.patient, helper=request.helping)
        return _to_app(location)
    context = who(client) | {"client": client, "relation": request.helping}
    context["host"] = urlsplit(client.launch_uri).hostname
    return render(request, "portal/launch.html", context)


@page("launch-patients", reads=("CareTeam",), purpose="TREAT", states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@clinician_required
def patients(request: StaffRequest) -> HttpResponse:
    """Those whom this clinician treats now."""
    found = list(treating.patients_of(request.user).order_by("name", "pk").distinct()[:MOST])
    for patient in found:
        log_look(request, patient)
    return render(request, "portal/launch_patients.html", {"patients": found})


@page("launch-patient", reads=("Encounter", "Client"), purpose="TREAT", states=(Kind.FRESH, Kind.ERROR))
@require_http_methods(["GET", "POST"])
@clinician_required
def patient(request: StaffRequest, patient_id: UUID) -> HttpResponse:
    """Which app, and in the context of which visit."""
    found = get_object_or_404(Patient, pk=patient_id)
    treats = treating.treats(request.user, found)
    log_look(request, found, refused=not treats)
    if not treats:
        raise Http404
    visits = _visits(request, found)
    client = _launchable(request.POST.get("app", ""))
    encounter = request.POST.get("encounter", "")
    visit = next((each for each in visits or () if each.id == encounter), None)
    if request.method == "POST" and client and (visit or not encounter):
        context = _context(visit)
        return _to_app(launches.begin(client, user=request.user, patient=found, context=context))
    missing = request.method == "POST"
    shown = {"patient": found, "apps": _apps(), "visits": visits, "missing": missing}
    shown["chart_down"] = visits is None
    return render(request, "portal/launch_patient.html", shown, status=422 if missing else 200)


def _apps() -> list[dict[str, object]]:
    return [who(client) | {"client_id": client.client_id} for client in launches.launchable()]


def _launchable(client_id: str) -> Client | None:
    return next((client for client in launches.launchable() if client.client_id == client_id), None)


def _to_app(location: str) -> HttpResponse:
    return OAuth2ResponseRedirect(location, oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)


def _context(visit: Visit | None) -> dict[str, Any]:
    if visit is None:
        return {}
    about = {"fhirContext": list(visit.context)} if visit.context else {}
    return {"encounter": visit.id, **about}


def _visits(request: StaffRequest, patient: Patient) -> list[Visit] | None:
    """The latest first, as far as the gate shows them to this clinician; None where the EHR is silent."""
    requester = authority.for_clinician(request.user, patient, timezone.now(), treats=True)
    try:
        found = records.search_as(requester, "Encounter")
    except records.Unavailable:
        return None
    found.sort(key=lambda each: str(each.get("period", {}).get("start", "")), reverse=True)
    return [_visit(each) for each in found[:VISITS]]


def _visit(encounter: dict[str, Any]) -> Visit:
    kinds = [kind.get("text") or _display(kind) for kind in encounter.get("type", [])]
    references = {name: [*_references(encounter, path)] for name, path in ABOUT.items()}
    return Visit(
        id=str(encounter["id"]),
        name=next(filter(None, kinds), "") or pgettext("launch.staff.some_visit", "Visit"),
        at=_when(str(encounter.get("period", {}).get("start", ""))),
        context=tuple(
            {"reference": reference, "type": name}
            for name, found in references.items()
            for reference in found
            if reference.startswith(f"{name}/")
        ),
    )


def _references(element: Any, path: tuple[str, ...]) -> list[str]:
    """The FHIR references at a path of elements, each of which may be a list."""
    if not path:
        found = element.get("reference") if isinstance(element, dict) else None
        return [found] if isinstance(found, str) else []
    value = element.get(path[0], []) if isinstance(element, dict) else []
    return [
        found
        for each in (value if isinstance(value, list) else [value])
        for found in _references(each, path[1:])
    ]


def _display(concept: dict[str, Any]) -> str:
    return next((str(coding["display"]) for coding in concept.get("coding", []) if coding.get("display")), "")


def _when(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def log_look(
    request: StaffRequest, patient: Patient, *, refused: bool = False, reason: str = Reason.ROLE
) -> None:
    """The page names the patient: to look at it is to read of their record."""
    record(
        Entry(
            type=EventType.RECORD_READ,
            outcome=Outcome.DENY if refused else Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role="clinician",
            patient=f"Patient/{patient.pk}",
            interaction="read",
            resource_types=("Patient",),
            purpose="TREAT",
            reasons=(reason,) if refused else (),
        )
    )
