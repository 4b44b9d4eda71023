"""What can be done with a link. Each is one transaction, with its audit row inside (that of its consent)."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Patient, RelatedPerson, User
from consent import commands as consents
from consent import helper_rights, versions
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import TOPICS, Category, Purpose
from exports.link_models import HealthLink, HealthLinkFile
from exports.shl import content, payload
from exports.shl.payload import Secret
from fhirproxy.outcomes import Refusal

MOST_AT_ONCE = 20
PRIVATE = frozenset().union(*(topic.labels for topic in TOPICS))


class TooMany(Exception):
    """There are as many links to this record as we keep at once."""


class MayNotShare(Exception):
    """A helper whom the patient does not let share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a link shows and how it is opened. No category stands for all that a summary has."""

    until: datetime
    categories: Collection[str] = ()
    private: bool = False
    is_live: bool = False
    opens: int | None = None  # None: as often as anybody wants
    passcode: bool = False
    direct: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """`uri` and `passcode` are said here, once."""

    link: HealthLink
    uri: str
    passcode: str


def make(*, patient: Patient, by: User, terms: Terms, act: Act, helper: RelatedPerson | None = None) -> Made:
    """Share a summary by a link. What it shows is read and encrypted now, unless it is live.

    Raises TooMany, MayNotShare, and Refusal where the records cannot be read: then there is no link.
    """
    secret, passcode = Secret.new(), f"{secrets.randbelow(10**6):06}" if terms.passcode else ""
    with transaction.atomic():
        versions.lock(patient.pk)
        if _living().filter(consent__patient=patient).count() >= MOST_AT_ONCE:
            raise TooMany
        link = HealthLink(
            id=uuid4(),
            made_by=by,
            helper=helper,
            label=terms.label,
            address_hash=payload.digest(secret.address),
            is_live=terms.is_live,
            is_direct=terms.direct,
            sealed=secret.seal() if terms.is_live else "",
            passcode_hash=make_password(passcode) if passcode else "",
            opens_left=terms.opens,
        )
        link.consent = _consent(link, patient, terms, act)
        link.save()
    if not terms.is_live:
        try:
            _keep_snapshot(link, secret)
        except Refusal:
            consents.lapse(link.consent)
            raise
    return Made(link, payload.uri(link, secret, terms.until), passcode)


def _consent(link: HealthLink, patient: Patient, terms: Terms, act: Act) -> Consent:
    chosen = (set(terms.categories) or content.CATEGORIES) | content.ALWAYS
    if link.helper is not None:
        seen = helper_rights.visible(link.helper, timezone.now())
        if not link.helper.may_share or not seen:
            raise MayNotShare
        chosen &= seen | content.ALWAYS
    return consents.share(
        patient=patient,
        recipient=f"Group/{link.id}",
        categories=[category for category in Category if category in chosen],
        labels=sorted(PRIVATE) if terms.private and link.helper is None else [],
        until=terms.until,
        act=act,
        purposes=[Purpose.PATRQT],
        name=terms.label,
    )


def _keep_snapshot(link: HealthLink, secret: Secret) -> None:
    requester = content.requester_of(link)
    body = payload.encrypted(content.document(link, requester), secret.key)
    HealthLinkFile.objects.create(link=link, body=body, basis=content.basis_of(requester))


def stop(link: HealthLink, *, by: User, role: str = "patient") -> None:
    """End a link now, by ending its consent. Twice changes nothing."""
    consents.revoke(link.consent, by=by, role=role)


def again(link: HealthLink) -> str:
    """The link as text once more: of a live one only, of any other nobody but who has it knows the key."""
    end = link.consent.period_end
    assert end is not None
    return payload.uri(link, Secret.unsealed(link.sealed), end)


def end_of_consent(consent_id: UUID) -> int:
    """What rests on a consent that does not hold any more (`consent.dependents`): its own link, and those
    that a helper made whose consent it is. A pause leaves the link; what stood at an address is gone."""
    consent = Consent.objects.get(pk=consent_id)
    is_over = consent.status in (Consent.Status.INACTIVE, Consent.Status.REJECTED)
    own = _living().filter(consent=consent).first()
    if own is not None and is_over:
        destroy(own)
    elif own is not None:
        own.files.exclude(address_hash="").delete()
    made = _living().filter(helper=consent.helper_id) if consent.helper_id and is_over else _living().none()
    others = list(made)
    for link in others:
        consents.lapse(link.consent)
    return len(others) + bool(own)


def end_all_of(user: User) -> int:
    """A person whose sign-ins are not to be trusted any more (`accounts.endings`)."""
    found = list(_living().filter(Q(made_by=user) | Q(consent__patient__user=user)))
    for link in found:
        consents.lapse(link.consent)
    return len(found)


def destroy(link: HealthLink) -> None:
    """Its files and secrets are gone; who opened it is kept. In the caller's transaction."""
    link.files.all().delete()
    link.sealed, link.passcode_hash, link.ended_at = "", "", timezone.now()
    link.save(update_fields=["sealed", "passcode_hash", "ended_at"])


def sweep() -> None:
    """Delete files whose address has run out, and end links that were opened as often as they can be."""
    HealthLinkFile.objects.filter(ends_at__lte=timezone.now()).delete()
    for link in _living().filter(opens_left=0).exclude(files__ends_at__isnull=False)[:500]:
        consents.lapse(link.consent)


def _living() -> QuerySet[HealthLink]:
    return HealthLink.objects.filter(ended_at=None).select_related("consent")
