"""Changes to consents. Each is one transaction, with its version and its audit row inside."""

import hashlib
import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

import rfc8785
from django.db import connection, transaction
from django.utils import timezone

from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import dependents, fhir
from consent.models import Consent, ConsentVersion
from consent.provisions import compile_choice
from consent.vocabulary import Category
from notices import commands as notices
from smart import tokens
from smart.models import Client

if TYPE_CHECKING:
    from accounts.models import Patient, User


class InvalidChoice(ValueError):
    """A consent that cannot be: `field` says which part."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def grant(
    *,
    patient: "Patient",
    client: Client,
    categories: Collection[Category],
    labels: Collection[str],
    until: datetime,
    by: "User",
    channel: str,
    text_shown: str,
    language: str,
    can_write: bool = False,
) -> Consent:
    """Let a client in, or change what it may see: the patient's consent for it gets a new version."""
    now = timezone.now()
    if not categories:
        raise InvalidChoice("categories", "Choose at least one kind of record to share.")
    if until <= now:
        raise InvalidChoice("until", "The sharing would end before it starts.")
    _lock_grant(patient.id, client.pk)
    consent = Consent.objects.filter(patient=patient, client=client, status="active").first()
    if consent:
        _lock(consent.id)
        consent.current_number += 1
        consent.period_end = until
        consent.save(update_fields=["current_number", "period_end"])
        event = EventType.CONSENT_AMEND
    else:
        consent = Consent.objects.create(id=uuid.uuid4(), patient=patient, client=client, period_end=until)
        event = EventType.CONSENT_GRANT
    resource = fhir.consent_resource(
        consent_id=str(consent.id),
        version=consent.current_number,
        active=True,
        patient_reference=f"Patient/{patient.id}",
        recipient={"display": client.name, "type": "Device"},
        categories=categories,
        labels=labels,
        start=now,
        until=until,
        can_write=can_write,
    )
    provisions = compile_choice(categories=categories, labels=labels, until=until, can_write=can_write)
    version = _append(consent, resource, provisions, now, by, channel, text_shown, language)
    _log(event, consent, version, by)
    _tell(consent, "app_connected")
    return consent


@transaction.atomic
def revoke(consent: Consent, *, by: "User", channel: str = "portal") -> Consent:
    """End a consent now, with every token behind it. Revoking twice changes nothing.

    The exclusive lock comes first: a read that is being let out holds it shared, so that
    nothing is let out after this returns, and no permit row gets a later place in the log.
    """
    _lock(consent.id)
    consent = Consent.objects.get(id=consent.id)
    if consent.status == Consent.Status.INACTIVE:
        return consent
    before = consent.current
    now = timezone.now()
    consent.status = Consent.Status.INACTIVE
    consent.revoked_at, consent.revoked_by = now, by
    consent.current_number += 1
    consent.save(update_fields=["status", "revoked_at", "revoked_by", "current_number"])
    resource = before.as_fhir() | {"status": "inactive", "dateTime": now.isoformat()}
    resource["meta"] = {"versionId": str(consent.current_number), "lastUpdated": now.isoformat()}
    version = _append(consent, resource, before.provisions, now, by, channel, "", "")
    tokens.revoke_all(consent.id)
    for end in dependents.registered().values():
        end(consent.id)
    _log(EventType.CONSENT_REVOKE, consent, version, by)
    _tell(consent, "app_stopped")
    return consent


def _lock(consent_id: uuid.UUID) -> None:
    """The lock that `consent_in_force` takes shared; see migration 0002."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(consent_lock_key(%s))", [consent_id])


def _lock_grant(patient_id: uuid.UUID, client_pk: int) -> None:
    """Two tabs that let the same client in at once make one consent with two versions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{patient_id}/{client_pk}"])


def _append(
    consent: Consent,
    resource: dict[str, Any],
    provisions: list[dict[str, Any]],
    now: datetime,
    by: "User",
    channel: str,
    text_shown: str,
    language: str,
) -> ConsentVersion:
    body = rfc8785.dumps(resource).decode()
    parts = [body, rfc8785.dumps(provisions).decode(), text_shown, language, channel, str(by.pk)]
    return ConsentVersion.objects.create(
        consent=consent,
        number=consent.current_number,
        fhir=body,
        provisions=provisions,
        status=consent.status,
        made_at=now,
        made_by=by,
        channel=channel,
        text_shown=text_shown,
        text_language=language,
        digest=hashlib.sha256("\x00".join(parts).encode()).hexdigest(),
    )


def _log(event: EventType, consent: Consent, version: ConsentVersion, by: "User") -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}",
            role="patient",
            patient=f"Patient/{consent.patient_id}",
            client=f"Client/{consent.client.client_id}" if consent.client else "",
            categories=tuple(version.provisions[0]["categories"]),
            consent=f"Consent/{consent.id}",
            consent_number=version.number,
            target=f"Consent/{consent.id}",
            detail={"digest": version.digest},
        )
    )


def _tell(consent: Consent, kind: str) -> None:
    user = consent.patient.user
    if user and consent.client:
        notices.enqueue(
            kind,
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={"app": consent.client.name},
        )
