"""A consent as a FHIR R4 Consent (4.0.1, TU), in the manner of IHE PCF 1.1: a root that denies,
and one level of provisions that permit."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from fhir.resources.R4B.consent import Consent as FhirConsent

from consent.vocabulary import ACT_CODE, ACT_REASON, CONFIDENTIALITY, Category, Label, Purpose

CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
DATA_CATEGORY = "https://chartkey.example/fhir/CodeSystem/data-category"


def consent_resource(
    *,
    consent_id: str,
    version: int,
    active: bool,
    patient_reference: str,
    recipient: dict[str, str],
    categories: Collection[Category],
    labels: Collection[str],
    start: datetime,
    until: datetime,
    can_write: bool,
) -> dict[str, Any]:
    """The resource as JSON-able values, checked against the FHIR model before anybody keeps it.

    `recipient` is a FHIR Reference to whom the patient lets in. Raises pydantic.ValidationError.
    """
    actions = ["access", *(["correct"] if can_write else [])]
    permit: dict[str, Any] = {
        "type": "permit",
        "period": {"start": start.isoformat(), "end": until.isoformat()},
        "actor": [{"role": _concept(ROLE_CODE, "IRCP"), "reference": recipient}],
        "action": [_concept(CONSENT_ACTION, action) for action in actions],
        "purpose": [{"system": ACT_REASON, "code": Purpose.PATRQT}],
        "code": [_concept(DATA_CATEGORY, category) for category in sorted(categories)],
    }
    if labels:
        permit["securityLabel"] = [
            {"system": CONFIDENTIALITY if label in {Label.R, Label.V} else ACT_CODE, "code": label}
            for label in sorted(labels)
        ]
    resource = {
        "resourceType": "Consent",
        "id": consent_id,
        "meta": {"versionId": str(version), "lastUpdated": start.isoformat()},
        "status": "active" if active else "inactive",
        "scope": _concept(CONSENT_SCOPE, "patient-privacy"),
        "category": [_concept("http://loinc.org", "59284-0")],
        "patient": {"reference": patient_reference},
        "dateTime": start.isoformat(),
        "policy": [{"uri": "https://chartkey.example/policy/patient-directed/1"}],
        "provision": {"type": "deny", "provision": [permit]},
    }
    FhirConsent.model_validate_json(json.dumps(resource))
    return resource


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": str(code)}]}
