"""Load all that speaks for or against one request, in one SQL statement."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.models import Patient, User
from consent import organisation, provisions
from consent.decision import Authority, Provision, Reason
from consent.models import Consent
from consent.vocabulary import Purpose
from smart.scopes import Scope

# One row tells of token, client, person, patient and consent; the clock is the database's, so that
# web servers whose clocks differ still agree on what has ended.
BEARER = """
SELECT t.id, t.scope, t.patient_id, t.expires > clock_timestamp(), clock_timestamp(),
       u.id, u.is_active, c.client_id, c.status,
       k.id, k.status, k.current_number, k.period_end, k.revoked_at, v.provisions,
       (SELECT jsonb_object_agg(i.source, i.fhir_id) FROM accounts_patientidentity i
         WHERE i.patient_id = t.patient_id)
  FROM smart_accesstoken t
  JOIN smart_client c ON c.id = t.application_id
  LEFT JOIN accounts_user u ON u.id = t.user_id
  LEFT JOIN consent_consent k ON k.id = t.authorization_id AND k.patient_id = t.patient_id
  LEFT JOIN consent_consentversion v ON v.consent_id = k.id AND v.number = k.current_number
 WHERE t.token_checksum = %s
"""
# Said again in the statement that lets an answer out (`audit.log.record(only_if=…)`): the lock is
# taken and the consent read afresh inside the function, see migration 0002.
STILL_IN_FORCE = "consent_in_force(%s::uuid, %s::int, %s::bigint)"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, for whom, and what speaks for it. Made once a request, never kept."""

    actor: str  # as audit rows write it
    role: str
    patient_id: UUID
    identities: dict[str, str]  # source slug → the patient's FHIR id there
    facts: organisation.Facts
    provisions: tuple[Provision, ...]
    now: datetime
    scopes: tuple[Scope, ...] | None = None
    missing: Reason | None = None
    client: str = ""
    consent_id: UUID | None = None
    consent_number: int | None = None
    token_id: int | None = None
    on_behalf_of: str = ""
    alive: bool = True  # False: the access token itself has ended

    @property
    def purpose(self) -> str:
        return self.facts.purpose

    def authority(self, interaction: str) -> Authority:
        """The organisation's rules are asked here, once for an interaction."""
        return Authority(
            ruling=organisation.rule(self.facts, interaction),
            provisions=self.provisions,
            scopes=self.scopes,
            missing=self.missing,
        )

    def still_in_force(self) -> tuple[str, list[Any]] | None:
        """The condition under which an answer may leave; None where no consent stands behind it."""
        if self.token_id is None:
            return None
        return STILL_IN_FORCE, [self.consent_id, self.consent_number, self.token_id]


def from_bearer(token: str) -> Requester | None:
    """The requester behind an access token; None for a token that we never gave.

    A token that has ended still tells whose record was asked for, so that the refusal can
    stand in that patient's log: `alive` is False then, and nothing is in force.
    """
    checksum = hashlib.sha256(token.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(BEARER, [checksum])
        row = cursor.fetchone()
    if row is None or row[2] is None:
        return None
    (token_id, scope, patient_id, alive, now, user_id, active, client_id, client_status) = row[:9]
    (consent_id, status, number, period_end, revoked_at, rows, identities) = row[9:]
    missing = _missing(consent_id, status, period_end, revoked_at, now)
    if not alive and missing is None:
        missing = Reason.TOKEN
    return Requester(
        actor=f"Client/{client_id}",
        role="client",
        patient_id=patient_id,
        identities=_json(identities) or {},
        facts=organisation.Facts(
            role="client",
            relationship="none",
            active=bool(active),
            clientStatus=client_status,
            purpose=Purpose.PATRQT,
        ),
        provisions=() if missing else provisions.read_back(_json(rows)),
        now=now,
        scopes=tuple(Scope.parse_all(scope)),
        missing=missing,
        client=f"Client/{client_id}",
        consent_id=consent_id,
        consent_number=number,
        token_id=token_id,
        on_behalf_of=f"User/{user_id}" if user_id else "",
        alive=alive,
    )


def _missing(
    consent_id: UUID | None,
    status: str | None,
    period_end: datetime | None,
    revoked_at: datetime | None,
    now: datetime,
) -> Reason | None:
    if consent_id is None or period_end is None:
        return Reason.NO_CONSENT
    if revoked_at is not None:
        return Reason.REVOKED
    if status != Consent.Status.ACTIVE or period_end <= now:
        return Reason.EXPIRED
    return None


def _json(value: object) -> Any:
    """A jsonb column through a plain cursor: Django leaves it as text."""
    return json.loads(value) if isinstance(value, str) else value


def for_own_record(user: User, patient: Patient, now: datetime) -> Requester:
    """A patient who signed in and looks at their own record."""
    own = patient.user_id == user.pk
    return Requester(
        actor=f"User/{user.pk}",
        role="patient",
        patient_id=patient.pk,
        identities=_identities(patient),
        facts=organisation.Facts(
            role="patient",
            relationship="self" if own else "none",
            active=user.is_active,
            clientStatus="none",
            purpose=Purpose.PATRQT,
        ),
        provisions=provisions.OWN_RECORD if own else (),
        now=now,
    )


def for_clinician(user: User, patient: Patient, now: datetime, *, treats: bool) -> Requester:
    """A clinician; `treats` says whether the EHR knows them on the patient's care team.

    Nobody is the clinician of their own record.
    """
    treats = treats and patient.user_id != user.pk
    return Requester(
        actor=f"User/{user.pk}",
        role="clinician",
        patient_id=patient.pk,
        identities=_identities(patient),
        facts=organisation.Facts(
            role="clinician",
            relationship="treating" if treats else "none",
            active=user.is_active,
            clientStatus="none",
            purpose=Purpose.TREAT,
        ),
        provisions=provisions.TREATING if treats else (),
        now=now,
    )


def _identities(patient: Patient) -> dict[str, str]:
    return dict(patient.identities.values_list("source", "fhir_id"))


def is_in_force(authorization_id: UUID) -> bool:
    """Whether tokens may still be given for a consent; asked by `smart` through settings."""
    now = timezone.now()
    return Consent.objects.filter(id=authorization_id, status="active", period_end__gt=now).exists()
