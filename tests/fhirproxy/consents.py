"""Consents as somebody outside writes and sends them; used by the tests of FHIR Consent."""

import json
from datetime import timedelta

from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent import fhir
from consent.vocabulary import Category
from smart.models import Client
from tests import factories

ALL = "patient/Consent.crus"
NEXT_YEAR = (timezone.now() + timedelta(days=365)).date().isoformat()
ORGANIZATION = {"reference": "Organization/eye-clinic"}


def session_of(patient):
    browser = Browser()
    browser.force_login(patient.user)
    return browser


def privacy_consent(patient):
    """A client is let read and write the patient's privacy records."""
    return factories.create_consent(
        patient, categories=[Category.PRIVACY, Category.TEST_RESULTS], can_write=True
    )


def ask(method, path="", resource=None, *, browser=None, token="", **headers):
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    body = resource if isinstance(resource, str | bytes) else json.dumps(resource)
    return (browser or Browser()).generic(
        method,
        f"/fhir/r4/Consent{path}",
        body if resource is not None else "",
        content_type="application/fhir+json",
        headers=headers,
    )


def permit(reference, *categories, **elements):
    """A permit of kinds of record to one recipient, for a year."""
    return {
        "type": "permit",
        "period": {"end": NEXT_YEAR},
        "actor": [{"role": fhir.concept(fhir.PARTICIPATION, "IRCP"), "reference": reference}],
        "code": [fhir.concept(fhir.DATA_CATEGORY, c) for c in categories or ["medicines"]],
        **elements,
    }


def a_consent(patient, *permits, category=(), **elements):
    """A Consent as somebody outside writes it: all is denied but for the permits."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": fhir.concept(fhir.CONSENT_SCOPE, "patient-privacy"),
        "category": [fhir.concept(fhir.LOINC, fhir.PRIVACY_CONSENT), *category],
        "patient": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "provision": {"type": "deny", "provision": list(permits)},
        **elements,
    }


def to_acme(status="active"):
    client = factories.acme_client()
    Client.objects.filter(pk=client.pk).update(status=status)
    return fhir.client_reference(client.client_id, client.name)


def with_version(consent):
    return {"if-match": f'W/"{consent.current_number}"'}


def refused_by(response):
    """Status and element of a refusal."""
    [issue] = response.json()["issue"]
    return response.status_code, issue.get("expression", [""])[0]


def last_event():
    return AuditEvent.objects.order_by("-recorded_at", "-id").first()


def without(resource, *names):
    return {name: value for name, value in resource.items() if name not in names}
