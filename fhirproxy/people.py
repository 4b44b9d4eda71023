"""People as FHIR R4 resources, out of our own tables: RelatedPerson, Person, Practitioner, PractitionerRole.

No fact of health, no address, and not the ground on which somebody helps.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from accounts.models import RelatedPerson, StaffRole, User
from consent import helper_rights

Resource = dict[str, Any]
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
STAFF_ROLE = "https://chartkey.example/fhir/CodeSystem/staff-role"
RELATION = "https://chartkey.example/fhir/related-person"  # identifier system of a relationship
DISPLAY: Mapping[str, str] = {  # of HL7's code system
    "PRN": "parent",
    "SPS": "spouse",
    "CHILD": "child",
    "GUARD": "guardian",
    "FRND": "unrelated friend",
}
ROLE_DISPLAY = dict(StaffRole.Role.choices)


def related_person(relation: RelatedPerson, patient: str) -> Resource:
    """A helper of a patient; `patient` is the FHIR reference by which the reader knows them.

    `active`: whether they may act now, by state, dates and age (`consent.helper_rights`).
    """
    code = relation.relationship
    period = {"start": relation.period_start.isoformat()}
    if relation.period_end:
        period["end"] = relation.period_end.isoformat()
    return {
        "resourceType": "RelatedPerson",
        "id": str(relation.pk),
        "meta": {"versionId": str(relation.version)},
        "identifier": [{"system": RELATION, "value": str(relation.pk)}],
        "active": helper_rights.standing(relation).reason is None,
        "patient": {"reference": patient},
        "relationship": [{"coding": [{"system": ROLE_CODE, "code": code, "display": DISPLAY[code]}]}],
        "name": [{"text": relation.user.name}],
        "period": period,
    }


def person(user: User, links: Iterable[str]) -> Resource:
    """Who signs in; `links` are references to what they are in a record, or at the clinic."""
    found: Resource = {"resourceType": "Person", "id": str(user.pk), **_who(user)}
    if linked := [{"target": {"reference": reference}} for reference in links]:
        found["link"] = linked
    return found


def practitioner(user: User, fhir_id: str) -> Resource:
    """A clinician, as far as we know them; the EHR knows more."""
    return {"resourceType": "Practitioner", "id": fhir_id, **_who(user)}


def practitioner_role(role: StaffRole) -> Resource:
    coding = {"system": STAFF_ROLE, "code": role.role, "display": ROLE_DISPLAY[role.role]}
    who: Resource = {"display": role.user.name}
    if role.practitioner:
        who["reference"] = role.practitioner
    return {
        "resourceType": "PractitionerRole",
        "id": role_id(role),
        "active": role.user.is_active,
        "period": {"start": role.since.isoformat()},
        "practitioner": who,
        "organization": {"display": settings.CLINIC_NAME},
        "code": [{"coding": [coding]}],
    }


def role_id(role: StaffRole) -> str:
    return f"staff-{role.pk}"


def _who(user: User) -> Resource:
    """Their name, and who they are to apps: `iss` and `sub` of their id_token."""
    issuer = settings.OAUTH2_PROVIDER["OIDC_ISS_ENDPOINT"]
    return {
        "identifier": [{"system": issuer, "value": str(user.pk)}],
        "active": user.is_active,
        "name": [{"text": user.name}],
    }
