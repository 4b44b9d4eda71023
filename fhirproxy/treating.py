"""Whether a clinician treats a patient: the EHR's care teams say so."""

import json

from accounts.models import Patient, User
from fhirproxy import upstream
from fhirproxy.models import Source
from fhirproxy.upstream import FhirRequest


def treats(user: User, patient: Patient) -> bool:
    """True if an active care team of the patient names this clinician's Practitioner.

    No answer from the EHR counts as no. Raises nothing.
    """
    role = user.staff_roles.filter(role="clinician").exclude(practitioner="").first()
    source = Source.primary()
    identity = patient.identities.filter(source=source.slug).first()
    if role is None or identity is None:
        return False
    query = (
        ("patient", identity.fhir_id),
        ("participant", role.practitioner),
        ("status", "active"),
        ("_count", "1"),
    )
    try:
        answer = upstream.of(source).send(FhirRequest("GET", "CareTeam", query))
    except upstream.UpstreamUnavailable:
        return False
    return answer.status == 200 and bool(json.loads(answer.body).get("entry"))
