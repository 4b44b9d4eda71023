"""Questions of patient-consent-consult, and what is read off their answers."""

import json
from datetime import timedelta

from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands
from consent.vocabulary import ACT_CODE, Category
from tests import factories

BASE = "http://testserver/fhir/r4"
EYES, TEETH = "Organization/eye-clinic", "Organization/dentist"
READING = "patient/Consent.rs"


def question(patient, *actors, purpose="TREAT", **context):
    fhir_id = patient if isinstance(patient, str) else factories.fhir_id(patient)
    return {
        "hook": "patient-consent-consult",
        "hookInstance": "4f0b5a52-7a1e-4f5d-a2f6-1f1f0f5e8c11",
        "context": {
            "patientId": [{"system": BASE, "value": fhir_id}],
            "actor": list(actors) or [EYES],
            "purposeOfUse": purpose,
            "scope": "patient-privacy",
            **context,
        },
    }


def post(asked, browser=None, token=""):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = asked if isinstance(asked, str) else json.dumps(asked)
    path = "/cds-services/patient-consent-consult"
    return (browser or Browser()).post(path, body, content_type="application/json", headers=headers)


def card(response):
    assert response.status_code == 200, response.content
    [found] = response.json()["cards"]
    return found


def redacted(found):
    """The codes that must be left out."""
    [obligation] = found["extension"]["obligations"]
    assert obligation["id"] == {"system": ACT_CODE, "code": "REDACT"}
    return {coding["code"] for coding in obligation["parameters"].get("codes", [])}


def act(patient):
    return commands.Act(by=patient.user, channel="portal")


def share(patient, recipient=EYES, categories=(Category.MEDICINES,), labels=(), purposes=("TREAT",)):
    return commands.share(
        patient=patient,
        recipient=recipient,
        categories=categories,
        labels=labels,
        until=timezone.now() + timedelta(days=9),
        act=act(patient),
        purposes=purposes,
    )


def limit(patient, **provision):
    """A limit that the clinic agreed to."""
    asked = commands.ask_restriction(
        patient=patient, provision={"type": "deny", **provision}, act=act(patient)
    )
    return commands.answer(asked, agreed=True, act=act(patient))


def last_event():
    return AuditEvent.objects.order_by("-recorded_at", "-id").first()
