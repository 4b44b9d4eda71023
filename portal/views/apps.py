"""Apps that can see a patient's records: what each may do, when it last did, and how to stop it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from portal import sees
from portal.consent_facts import OPEN, Facts, facts
from portal.guards import PatientRequest, patient_required
from portal.pages import page
from portal.states import Kind
from smart.models import Client


@page("apps", reads=("Consent", "AuditEvent"))
@require_GET
@patient_required
def apps(request: PatientRequest) -> HttpResponse:
    shown = [_app(consent) for consent in _consents(request).order_by("status", "-created_at")]
    waiting = request.patient.consents.filter(client__isnull=False, status=Consent.Status.PROPOSED)
    return render(request, "portal/apps.html", {"apps": shown, "waiting": waiting.exists()})


@page("app", reads=("Consent", "AuditEvent"))
@require_GET
@patient_required
def app(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    return render(request, "portal/app.html", {"app": _app(_own(request, consent_id))})


@page("app-sees", reads=("Consent", "Observation"), states=(Kind.FRESH, Kind.ERROR))
@require_GET
@patient_required
def app_sees(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """What the app can see now, counted. htmx asks for it after the page, since it reads the whole record."""
    shown = _app(_own(request, consent_id))
    found = sees.after(request.user, shown.facts.consent)
    template = "portal/sees.html" if request.htmx else "portal/app_sees.html"
    status = 503 if found.failed and not request.htmx else 200  # htmx shows what it gets with 200
    return render(request, template, {"app": shown, "sees": found}, status=status)


@require_GET
@patient_required
def consent_fhir(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """The consent as it stands, as the FHIR R4 resource that is kept: byte for byte what was digested."""
    version = _own(request, consent_id).current
    return HttpResponse(version.fhir, content_type="application/fhir+json")


@require_POST
@patient_required
def stop(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    commands.revoke(_own(request, consent_id), by=request.user)
    return redirect("portal:app-stopped", consent_id)


@page("app-stopped", reads=("Consent",))
@require_GET
@patient_required
def stopped(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    consent = _own(request, consent_id)
    if consent.status in OPEN:
        return redirect("portal:app", consent_id)
    return render(request, "portal/app_stopped.html", {"app": _app(consent)})


def _own(request: PatientRequest, consent_id: UUID) -> Consent:
    return get_object_or_404(_consents(request), id=consent_id)


def _consents(request: PatientRequest) -> QuerySet[Consent]:
    """With apps, and answered: what waits for an answer is on the page of sharing."""
    return (
        request.patient.consents.filter(client__isnull=False)
        .exclude(status__in=(Consent.Status.PROPOSED, Consent.Status.REJECTED))
        .select_related("client")
    )


@dataclass(frozen=True, slots=True)
class App:
    """The four questions: what has access, what can it do, when did it last, how does it end."""

    facts: Facts
    client: Client
    last_used: datetime | None

    @property
    def is_out(self) -> bool:
        """Whether it gets nothing because the clinic suspended or blocked it, whatever the person shares."""
        return self.facts.is_open and not self.client.is_usable(None)


def _app(consent: Consent) -> App:
    client = consent.client
    assert client is not None  # _consents asks for those of clients only
    return App(facts(consent), client, _last_used(consent))


def _last_used(consent: Consent) -> datetime | None:
    return (
        AuditEvent.objects.filter(
            patient=f"Patient/{consent.patient_id}",
            consent=f"Consent/{consent.pk}",
            outcome="permit",
        )
        .order_by("-recorded_at")
        .values_list("recorded_at", flat=True)
        .first()
    )
