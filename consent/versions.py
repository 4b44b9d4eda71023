"""How a consent changes: a version is added, and all that comes with it in the same transaction."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import rfc8785
from django.db import connection
from django.db.models import F
from django.utils import timezone

from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import dependents
from consent.fhir import consent_resource
from consent.models import Consent, ConsentVersion, Epoch
from consent.provisions import InvalidConsent, Row, compile_consent
from smart import events, tokens

if TYPE_CHECKING:
    from accounts.models import User

Kind, Status = Consent.Kind, Consent.Status
# What the client of a consent is told of it; its end is told with the end of its tokens.
TOLD = {
    EventType.CONSENT_PAUSE: events.Kind.PAUSED,
    EventType.CONSENT_RESUME: events.Kind.RESUMED,
    EventType.CONSENT_AMEND: events.Kind.CHANGED,
}
OPERATIONAL = frozenset({Kind.PREFERENCE, Kind.RESTRICTION})  # the organisation may act without them
SYSTEM = "System/consent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who changes a consent, through what, and what they were shown when they did."""

    by: "User | None"  # None: it changes by itself
    channel: str  # portal, smart, fhir, staff, system
    text_shown: str = ""  # word for word
    language: str = ""
    role: str = "patient"
    client: str = ""  # "Client/x", where a client does it for them


def lock(patient_id: uuid.UUID) -> None:
    """The lock that `consent_in_force` takes shared; see migration 0002."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(consent_lock_key(%s))", [patient_id])


def locked(consent: Consent) -> Consent:
    """The consent as it is once nobody else can change it."""
    lock(consent.patient_id)
    return Consent.objects.get(pk=consent.pk)


def append(
    consent: Consent, status: str, said: Mapping[str, Any] | None, act: Act, event: EventType
) -> ConsentVersion:
    """Add a version, in the caller's transaction and under the patient's lock.

    `said` has the elements of `fhir.SAID`; None: it says what the last version said. What rests on a
    consent ends when it does not hold any more. Raises InvalidConsent.
    """
    now = timezone.now()
    said = said if said is not None else consent.current.as_fhir()
    rows = compile_consent(said, operational=consent.kind in OPERATIONAL)
    consent.current_number += 1
    consent.status = status
    consent.period_end = _end(rows)
    if consent.period_end is None and consent.kind not in OPERATIONAL:
        raise InvalidConsent("provision.period", "Say when the sharing ends.")
    consent.save()
    resource = consent_resource(
        said,
        consent_id=str(consent.id),
        number=consent.current_number,
        status=status,
        patient=f"Patient/{consent.patient_id}",
        made_at=now,
    )
    version = _keep(consent, resource, rows, act, now)
    if consent.kind != Kind.APP:
        _bump(consent.patient_id)
    if status not in (Status.ACTIVE, Status.PROPOSED):
        _end_dependents(consent)
    if event in TOLD:
        events.tell(consent.client, TOLD[event], consent.id)
    _log(event, consent, version, act)
    return version


def _end_dependents(consent: Consent) -> None:
    """A pause leaves the tokens: none of them works till it is over, and then those that live do."""
    if consent.status == Status.INACTIVE:
        tokens.revoke_all(consent.id)
    for end in dependents.registered().values():
        end(consent.id)


def _keep(
    consent: Consent, resource: dict[str, Any], rows: list[Row], act: Act, now: datetime
) -> ConsentVersion:
    body = rfc8785.dumps(resource).decode()
    by = str(act.by.pk) if act.by else ""
    parts = [body, rfc8785.dumps(rows).decode(), act.text_shown, act.language, act.channel, by]
    return ConsentVersion.objects.create(
        consent=consent,
        number=consent.current_number,
        fhir=body,
        provisions=rows,
        status=consent.status,
        period_end=consent.period_end,
        made_at=now,
        made_by=act.by,
        channel=act.channel,
        text_shown=act.text_shown,
        text_language=act.language,
        digest=hashlib.sha256("\x00".join(parts).encode()).hexdigest(),
    )


def _bump(patient_id: uuid.UUID) -> None:
    """What holds whoever asks has changed: answers under way were decided by what held before."""
    Epoch.objects.get_or_create(patient_id=patient_id)
    Epoch.objects.filter(patient_id=patient_id).update(number=F("number") + 1)


def _end(rows: list[Row]) -> datetime | None:
    """When the last permit ends; None where one has no end, or the consent only denies."""
    permits = [row for row in rows if row["type"] == "permit"] or rows
    if not all("period_end" in row for row in permits):
        return None
    return max((datetime.fromisoformat(row["period_end"]) for row in permits), default=None)


def _log(event: EventType, consent: Consent, version: ConsentVersion, act: Act) -> None:
    categories = {c for row in version.provisions for c in row.get("categories", ())}
    about = consent.recipient or consent.directive
    by = f"User/{act.by.pk}" if act.by else ""
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=act.client or by or SYSTEM,
            on_behalf_of=by if act.client else "",
            role=act.role,
            patient=f"Patient/{consent.patient_id}",
            client=f"Client/{consent.client.client_id}" if consent.client else "",
            categories=tuple(sorted(categories)),
            consent=f"Consent/{consent.id}",
            consent_number=version.number,
            target=f"Consent/{consent.id}",
            detail={
                "digest": version.digest,
                "kind": str(consent.kind),
                "status": str(consent.status),
                **({"about": about} if about else {}),
            },
        )
    )
