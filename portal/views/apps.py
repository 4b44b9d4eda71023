"""Apps that can see a patient's records: what each may do, when it last did, and how to stop it."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC
from portal.guards import PatientRequest, patient_required
from portal.pages import page


@page("apps", reads=("Consent", "AuditEvent"))
@require_GET
@patient_required
def apps(request: PatientRequest) -> HttpResponse:
    consents = (
        request.patient.consents.filter(client__isnull=False)
        .select_related("client")
        .order_by("status", "-created_at")
    )
    shown = [_facts(consent) for consent in consents]
    return render(request, "portal/apps.html", {"apps": shown})


@page("app", reads=("Consent", "AuditEvent"))
@require_GET
@patient_required
def app(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    consent = _own(request, consent_id)
    return render(request, "portal/app.html", {"app": _facts(consent)})


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
    if consent.status == Consent.Status.ACTIVE:
        return redirect("portal:app", consent_id)
    return render(request, "portal/app_stopped.html", {"app": _facts(consent)})


def _own(request: PatientRequest, consent_id: UUID) -> Consent:
    consents = request.patient.consents.filter(client__isnull=False).select_related("client")
    return get_object_or_404(consents, id=consent_id)


def _facts(consent: Consent) -> dict[str, object]:
    """The four questions: what has access, what can it do, when did it last, how does it end."""
    client = consent.client
    assert client is not None  # _own and apps ask for consents of clients only
    permit = consent.current.permit
    labels = permit.security_labels
    return {
        "consent": consent,
        "client": client,
        "active": consent.is_active,
        "can_see": [CATEGORY[c] for c in Category if c in permit.categories],
        "can_write": permit.writes,
        "private": [TOPIC[t.code] for t in TOPICS if t.labels & labels],
        "not_private": [TOPIC[t.code] for t in TOPICS if not t.labels & labels],
        "last_used": _last_used(consent),
    }


def _last_used(consent: Consent) -> object:
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
