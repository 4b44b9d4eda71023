"""The last good copy of what an EHR told, for people's own pages while it does not answer.

What is kept is the EHR's answer as it came, before the gate: so a copy goes through the gate again
each time, with the labels, the consent and the log of that moment. It is encrypted, of a limited size
and age, and never used for an app: an EHR is overheard and copies answer only where a page says so
(`upstream.tapes`).
"""

import base64
import binascii
import hashlib
import json
import zlib
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts import secrets
from accounts.models import PatientIdentity
from consent.requester import Requester
from fhirproxy.interactions import Interaction
from fhirproxy.messages import FhirRequest, FhirResponse
from fhirproxy.models import LastCopy, Source
from fhirproxy.upstream.tapes import Exchange, Tape, from_when

LARGEST = 8 * 1024 * 1024  # bytes of one copy, as the EHR sent them
ROLES = frozenset({"patient", "helper"})  # whose pages may show one
log = structlog.get_logger("chartkey.upstream")


def may_keep(source: Source, requester: Requester) -> bool:
    over_http = source.kind == Source.Kind.HTTP and source.keep_copies
    return over_http and requester.role in ROLES and not requester.client


def save(source: Source, requester: Requester, asked: Interaction, tape: Tape) -> None:
    """Keep what was recorded for an interaction that the gate answered; one statement, or nothing."""
    size = sum(len(answer.body) for _, answer in tape.exchanges)
    if not tape.exchanges or size > LARGEST or not may_keep(source, requester):
        return
    key = _key(source, requester, asked)
    copy = LastCopy(
        source=source,
        patient_id=requester.patient_id,
        request=key,
        at=tape.at,
        content=_seal(key, tape),
    )
    try:
        LastCopy.objects.bulk_create(
            [copy],
            update_conflicts=True,
            unique_fields=["source", "patient", "request"],
            update_fields=["at", "content"],
        )
    except DatabaseError as error:  # the answer itself is good
        log.exception("a copy could not be kept", source=source.slug, reason=type(error).__name__)


def load(source: Source, requester: Requester, asked: Interaction) -> Tape | None:
    """The copy for an interaction, if there is one that may still be shown."""
    if not may_keep(source, requester) or source.slug not in requester.identities:
        return None
    key = _key(source, requester, asked)
    copy = LastCopy.objects.filter(
        source=source, patient_id=requester.patient_id, request=key, at__gte=_oldest()
    ).first()
    if copy is None:
        return None
    try:
        return Tape(copy.at, _unseal(key, copy.content))
    except (InvalidToken, ValueError, KeyError, TypeError, zlib.error, binascii.Error):
        return None  # another FIELD_KEY by now, or another version's: as good as none


def forget(patient_id: UUID, source: str) -> None:
    """Delete what is kept of a patient in one EHR: the link between them has ended."""
    LastCopy.objects.filter(patient_id=patient_id, source_id=source).delete()


def sweep() -> int:
    """Delete copies that are too old, of EHRs that allow none, and of links that are no more."""
    linked = PatientIdentity.objects.filter(patient=OuterRef("patient"), source=OuterRef("source_id"))
    copies = LastCopy.objects.all()
    found = (
        copies.filter(at__lt=_oldest())
        | copies.filter(source__keep_copies=False)
        | copies.filter(~Exists(linked))
    )
    return LastCopy.objects.filter(pk__in=found.values("pk")).delete()[0]


def _oldest() -> datetime:
    return timezone.now() - timedelta(days=settings.COPIES_KEPT_DAYS)


def _key(source: Source, requester: Requester, asked: Interaction) -> str:
    """Who may see every label asks an EHR for less; so the two have copies of their own."""
    said: list[object] = [source.slug, source.base_url]
    said += [requester.identities.get(source.slug), str(requester.patient_id)]
    params, _ = from_when(asked.params)
    said += [asked.code, asked.resource_type, asked.id, params, requester.sees_every_label]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _seal(key: str, tape: Tape) -> str:
    """Encrypted, with the key inside: a row's content is of no use in another row."""
    exchanges = [
        [r.method, r.path, r.query, r.onward, a.status, dict(a.headers), base64.b64encode(a.body).decode()]
        for r, a in tape.exchanges
    ]
    content = json.dumps([key, exchanges]).encode()
    return secrets.encrypt(base64.b64encode(zlib.compress(content, 3)).decode())


def _unseal(key: str, content: str) -> list[Exchange]:
    bound, exchanges = json.loads(zlib.decompress(base64.b64decode(secrets.decrypt(content))))
    if bound != key:
        raise ValueError("the copy is another row's")
    return [
        (
            FhirRequest(method, path, tuple((n, v) for n, v in query), onward=onward),
            FhirResponse(status, headers, base64.b64decode(body)),
        )
        for method, path, query, onward, status, headers, body in exchanges
    ]
