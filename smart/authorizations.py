"""What stands behind a token, for which this room only carries the id.

For a grant by a patient it is a Consent. The room that keeps consents stands above
this one, so settings name the function that is asked.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from accounts.models import Patient, User

FIRST_ID = """
SELECT fhir_id FROM accounts_patientidentity WHERE patient_id = %s AND ended_at IS NULL ORDER BY id LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a person said yes to, handed over when a code is made."""

    id: UUID
    patient: Patient
    ends_at: datetime  # nothing that it gives lives longer
    authenticated_at: datetime  # when the person signed in
    launch: dict[str, object] = field(default_factory=dict)  # launch context besides `patient`
    session_key: str = ""  # of the session that said yes, and how its person signed in:
    acr: str = ""  # see `smart.identity`
    amr: tuple[str, ...] = ()


def is_in_force(authorization_id: UUID | None) -> bool:
    """Whether tokens may be given, or shown as active, for it. No authorization is no."""
    if authorization_id is None:
        return False
    return bool(import_string(settings.SMART_AUTHORIZATION_CHECK)(authorization_id))


def is_base(url: str) -> bool:
    """Whether a FHIR base is one of ours. A token opens each of them, with the patient's own id there."""
    return bool(import_string(settings.SMART_BASE_CHECK)(url))


def fhir_id_at(patient: Patient, base: str) -> str:
    """The patient's id at one of our FHIR bases; empty where that EHR does not know them."""
    return str(import_string(settings.SMART_PATIENT_AT)(patient, base))


def fhir_id_of(patient: Patient) -> str:
    """The patient's id at our FHIR base, empty if no EHR knows them.

    A patient who is known to several EHRs appears under the id of the first.
    """
    with connection.cursor() as cursor:
        cursor.execute(FIRST_ID, [patient.pk])
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def fhir_user_of(user: User) -> str:
    """The person as a FHIR resource, absolute (SMART 2.2, fhirUser); empty if there is none."""
    patient = Patient.objects.filter(user=user).first()
    fhir_id = fhir_id_at(patient, settings.FHIR_BASE_URL) if patient else ""
    return f"{settings.FHIR_BASE_URL}/Patient/{fhir_id}" if fhir_id else ""
