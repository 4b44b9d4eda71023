"""A consent as a FHIR R4 Consent (4.0.1, TU), in the manner of IHE PCF 1.1: a root that denies,
and one level of provisions that permit."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.vocabulary import (
    ACT_REASON,
    ELEMENTS_OF,
    LOINC,
    Category,
    Purpose,
    system_of,
)

CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
DATA_CATEGORY = "https://chartkey.example/fhir/CodeSystem/data-category"
DIRECTIVE = "https://chartkey.example/fhir/CodeSystem/directive"
RESTRICTION = "restriction"  # in the system of DIRECTIVE: the patient asks the clinic for a limit
CLIENT_ID = "https://chartkey.example/fhir/client-id"  # identifier system of an OAuth client
REDACTS = "https://chartkey.example/fhir/StructureDefinition/consent-redacts"  # an element that is left out
PAUSED_SINCE = "https://chartkey.example/fhir/StructureDefinition/consent-paused-since"
PRIVACY_CONSENT = "59284-0"
PAUSED = "paused"  # the one status of ours that is not FHIR's
# What a version says, besides what every version has; kept from one version to the next.
SAID = ("category", "policy", "policyRule", "organization", "performer", "sourceReference", "provision")
POLICY = "https://chartkey.example/policy/patient-directed/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a person lets a recipient do: which records, why, from when until when."""

    categories: Collection[Category]
    labels: Collection[str] = ()
    start: datetime
    until: datetime
    purposes: Collection[Purpose] = (Purpose.PATRQT,)
    can_write: bool = False


def permit(terms: Terms, recipient: Mapping[str, Any]) -> dict[str, Any]:
    """`Consent.provision`: nothing, but for what the terms permit. `recipient` is a FHIR Reference.

    Of a record that the person shares, the elements of a category they did not choose are left out.
    """
    actions = ["access", *(["correct"] if terms.can_write else [])]
    exception: dict[str, Any] = {
        "type": "permit",
        "period": {"start": terms.start.isoformat(), "end": terms.until.isoformat()},
        "actor": [{"role": concept(PARTICIPATION, "IRCP"), "reference": dict(recipient)}],
        "action": [concept(CONSENT_ACTION, action) for action in actions],
        "purpose": [{"system": ACT_REASON, "code": purpose} for purpose in sorted(terms.purposes)],
        "code": [concept(DATA_CATEGORY, category) for category in sorted(terms.categories)],
    }
    if terms.labels:
        exception["securityLabel"] = [label_coding(label) for label in sorted(terms.labels)]
    if elements := left_out(terms.categories):
        exception["extension"] = [{"url": REDACTS, "valueCode": element} for element in elements]
    return {"type": "deny", "provision": [exception]}


def left_out(categories: Collection[str]) -> list[str]:
    """The elements, as "Patient.address", that belong to categories which are not among these."""
    return sorted(
        f"{resource_type}.{element}"
        for category, of_type in ELEMENTS_OF.items()
        if category not in categories
        for resource_type, elements in of_type.items()
        for element in elements
    )


def consent_resource(
    said: Mapping[str, Any],
    *,
    consent_id: str,
    number: int,
    status: str,
    patient: str,
    made_at: datetime,
) -> dict[str, Any]:
    """A whole resource out of what it says, checked against the FHIR model before anybody keeps it.

    `said` has `provision`, and may have the other elements of SAID; `status` is one of ours; `patient`
    is a FHIR reference. Raises pydantic.ValidationError.
    """
    resource = {
        "category": [concept(LOINC, PRIVACY_CONSENT)],
        "policy": [{"uri": POLICY}],
        **{name: said[name] for name in SAID if name in said},
        "resourceType": "Consent",
        "id": consent_id,
        "meta": {"versionId": str(number), "lastUpdated": made_at.isoformat()},
        "status": "inactive" if status == PAUSED else status,
        "scope": concept(CONSENT_SCOPE, "patient-privacy"),
        "patient": {"reference": patient},
        "dateTime": made_at.isoformat(),
    }
    if status == PAUSED:  # FHIR R4 has no word for it
        resource["extension"] = [{"url": PAUSED_SINCE, "valueInstant": made_at.isoformat()}]
    validate(resource)
    return resource


def validate(resource: Mapping[str, Any]) -> None:
    """Raises pydantic.ValidationError for what is no FHIR R4 Consent."""
    from fhir.resources.R4B.consent import Consent as FhirConsent  # 15 MB, which few processes need

    FhirConsent.model_validate_json(json.dumps(resource))


def client_reference(client_id: str, name: str) -> dict[str, Any]:
    """A FHIR Reference to an OAuth client, who is no resource."""
    return {"type": "Device", "identifier": {"system": CLIENT_ID, "value": client_id}, "display": name}


def label_coding(label: str) -> dict[str, str]:
    return {"system": system_of(label), "code": label}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": str(code)}]}
