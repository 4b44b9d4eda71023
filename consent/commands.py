"""Changes to consents. Each is one transaction, with its version and its audit row inside.

Every command takes the patient's lock first. A read that is being let out holds it shared, so
nothing leaves by what held before once a command has returned, and no permit row gets a later
place in the log than the change.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from audit.events import EventType
from consent import fhir, helper_rights
from consent.directives import directives
from consent.fhir import Terms
from consent.models import Consent
from consent.provisions import InvalidConsent
from consent.versions import OPERATIONAL, Act, append, lock, locked
from consent.vocabulary import Category, Purpose
from notices import commands as notices
from smart.models import Client

if TYPE_CHECKING:
    from accounts.models import Patient, RelatedPerson, User

Kind, Status = Consent.Kind, Consent.Status
OPEN = (Status.ACTIVE, Status.PAUSED)


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
    terms = _terms(categories, labels, until, can_write=can_write)
    provision = fhir.permit(terms, fhir.client_reference(client.client_id, client.name))
    act = Act(by=by, channel=channel, text_shown=text_shown, language=language)
    consent = _open(patient, Kind.APP, {"provision": provision}, act, client=client)
    _tell(consent, "app_connected")
    return consent


@transaction.atomic
def let_help(
    *,
    relation: "RelatedPerson",
    categories: Collection[Category],
    labels: Collection[str],
    until: datetime,
    act: Act,
    can_write: bool = False,
) -> Consent:
    """Let a helper act for the patient, or change what they may do."""
    terms = _terms(categories, labels, until, can_write=can_write, purposes=[Purpose.FAMRQT])
    provision = fhir.permit(terms, {"reference": f"RelatedPerson/{relation.pk}"})
    return _open(relation.patient, Kind.HELPER, {"provision": provision}, act, helper=relation)


@transaction.atomic
def share(
    *,
    patient: "Patient",
    recipient: str,
    categories: Collection[Category],
    labels: Collection[str],
    until: datetime,
    act: Act,
    purposes: Collection[Purpose] = (Purpose.TREAT,),
    name: str = "",
) -> Consent:
    """Share with an organisation or a practitioner. `recipient` is their FHIR reference, `name` what they
    are called where no EHR knows it. A share that stands gets a new version."""
    terms = _terms(categories, labels, until, purposes=purposes)
    display = {"display": name} if name else {}
    provision = fhir.permit(terms, {"reference": recipient, **display})
    return _open(patient, Kind.SHARE, {"provision": provision}, act, recipient=recipient)


@transaction.atomic
def prefer(*, patient: "Patient", directive: str, permit: bool, act: Act) -> Consent:
    """Opt in or out of one directive. Revoking this consent goes back to what holds by default."""
    if directive not in directives():
        raise InvalidConsent("directive", f"Choose one of {', '.join(sorted(directives()))}.")
    purposes = sorted(directives()[directive].purposes)
    provision = {
        "type": "permit" if permit else "deny",
        "purpose": [{"system": fhir.ACT_REASON, "code": purpose} for purpose in purposes],
    }
    category = [fhir.concept(fhir.LOINC, fhir.PRIVACY_CONSENT), fhir.concept(fhir.DIRECTIVE, directive)]
    said = {"provision": provision, "category": category}
    return _open(patient, Kind.PREFERENCE, said, act, directive=directive)


@transaction.atomic
def ask_restriction(*, patient: "Patient", provision: Mapping[str, Any], act: Act) -> Consent:
    """Ask the clinic to limit how it uses the record (45 CFR 164.522): it holds once the clinic agreed.

    `provision` is a FHIR Consent.provision.
    """
    lock(patient.id)
    consent = Consent(patient=patient, kind=Kind.RESTRICTION)
    append(consent, Status.PROPOSED, {"provision": provision}, act, EventType.CONSENT_PROPOSE)
    return consent


@transaction.atomic
def answer(consent: Consent, *, agreed: bool, act: Act) -> Consent:
    """Say yes or no to what was proposed. Answering twice changes nothing."""
    consent = locked(consent)
    if consent.status != Status.PROPOSED:
        return consent
    status = Status.ACTIVE if agreed else Status.REJECTED
    if agreed:
        _end_others(consent, act)
    append(consent, status, None, act, EventType.CONSENT_ANSWER)
    if consent.kind == Kind.RESTRICTION:
        _tell_patient(consent.patient, "limit_answered")
    elif agreed:
        _tell(consent, "app_connected")
    return consent


@transaction.atomic
def renew(consent: Consent, *, until: datetime, act: Act) -> Consent:
    """The same consent for longer. Raises InvalidConsent where it has ended or `until` is past."""
    consent = locked(consent)
    if consent.status not in OPEN:
        raise InvalidConsent("status", "This sharing has ended. Share again to start a new one.")
    if until <= timezone.now():
        raise InvalidConsent("until", "The sharing would end before it starts.")
    said = consent.current.as_fhir()
    said["provision"] = _until(said["provision"], until)
    append(consent, consent.status, said, act, EventType.CONSENT_RENEW)
    return consent


@transaction.atomic
def revoke(
    consent: Consent, *, by: "User", channel: str = "portal", role: str = "patient", client: str = ""
) -> Consent:
    """End a consent now, with every token behind it. Revoking twice changes nothing."""
    consent = locked(consent)
    if consent.status in (Status.INACTIVE, Status.REJECTED):
        return consent
    consent.revoked_at, consent.revoked_by = timezone.now(), by
    act = Act(by=by, channel=channel, role=role, client=client)
    append(consent, Status.INACTIVE, None, act, _event_of_end(consent))
    _tell(consent, "app_stopped")
    return consent


def _event_of_end(consent: Consent) -> EventType:
    """A choice or a limit that is taken back is one more choice; nobody stops sharing by it."""
    return EventType.CONSENT_CHOOSE if consent.kind in OPERATIONAL else EventType.CONSENT_REVOKE


@transaction.atomic
def pause_all(patient: "Patient", *, act: Act, tells: bool = True) -> list[Consent]:
    """Nobody but the patient, and the clinic for its own work, sees anything until `resume_all`.

    What the law gave a parent or a guardian goes on (`helper_rights.may_patient_pause`).
    """
    paused = _each(patient, Status.ACTIVE, Status.PAUSED, act, EventType.CONSENT_PAUSE)
    if paused and tells:
        _tell_patient(patient, "sharing_paused")
    return paused


@transaction.atomic
def resume_all(patient: "Patient", *, act: Act) -> list[Consent]:
    resumed = _each(patient, Status.PAUSED, Status.ACTIVE, act, EventType.CONSENT_RESUME)
    if resumed:
        _tell_patient(patient, "sharing_resumed")
    return resumed


def expire_due() -> int:
    """End what has run out, at most 500 at once. Decisions look at the clock; this writes it down."""
    due = Consent.objects.filter(status__in=OPEN, period_end__lte=timezone.now()).order_by("period_end")
    return sum(_expire(consent) for consent in due[:500])


@transaction.atomic
def lapse(consent: Consent) -> None:
    """End a consent whose ground is gone, as a parent's at the age of 18: nobody revoked it."""
    consent = locked(consent)
    if consent.status not in (Status.INACTIVE, Status.REJECTED):
        act = Act(by=None, channel="system", role="system")
        append(consent, Status.INACTIVE, None, act, EventType.CONSENT_EXPIRE)


@transaction.atomic
def _expire(consent: Consent) -> bool:
    consent = locked(consent)
    if consent.status not in OPEN or consent.period_end is None or consent.period_end > timezone.now():
        return False
    act = Act(by=None, channel="system", role="system")
    append(consent, Status.INACTIVE, None, act, EventType.CONSENT_EXPIRE)
    return True


@transaction.atomic
def record_resource(
    resource: Mapping[str, Any],
    *,
    patient: "Patient",
    act: Act,
    whom: Mapping[str, Any],
    kind: str,
    replaces: Consent | None = None,
    propose: bool = False,
) -> Consent:
    """Keep a FHIR Consent that came from outside: a new one, or a new version of `replaces`.

    `kind` and `whom` (the model's fields) say for whom it is; see `consent.resources`. Raises
    InvalidConsent with the element that cannot be.
    """
    if replaces is None and not propose:
        consent = _open(patient, kind, resource, act, **whom)
        _tell(consent, "app_connected")
        return consent
    lock(patient.id)
    consent = Consent(patient=patient, kind=kind, **whom) if replaces is None else locked(replaces)
    status, event = (consent.status, EventType.CONSENT_AMEND)
    if replaces is None:
        status, event = Status.PROPOSED, EventType.CONSENT_PROPOSE
    elif consent.status not in OPEN:
        raise InvalidConsent("status", "This consent has ended and cannot be changed. Make a new one.")
    append(consent, status, resource, act, event)
    if status == Status.PROPOSED and kind != Kind.RESTRICTION:
        _tell_patient(patient, "sharing_asked")
    return consent


def _terms(
    categories: Collection[Category],
    labels: Collection[str],
    until: datetime,
    *,
    can_write: bool = False,
    purposes: Collection[Purpose] = (Purpose.PATRQT,),
) -> Terms:
    now = timezone.now()
    if not categories:
        raise InvalidConsent("categories", "Choose at least one kind of record to share.")
    if until <= now:
        raise InvalidConsent("until", "The sharing would end before it starts.")
    return Terms(
        categories=categories, labels=labels, start=now, until=until, purposes=purposes, can_write=can_write
    )


def _open(patient: "Patient", kind: str, said: Mapping[str, Any], act: Act, **whom: Any) -> Consent:
    """The patient's one consent of this kind for these: a new version of it, or its first.

    Two tabs that let the same client in at once make one consent with two versions.
    """
    lock(patient.id)
    consent = Consent.objects.filter(patient=patient, kind=kind, status__in=OPEN, **whom).first()
    event = EventType.CONSENT_AMEND if consent else EventType.CONSENT_GRANT
    if kind == Kind.PREFERENCE:
        event = EventType.CONSENT_CHOOSE
    consent = consent or Consent(patient=patient, kind=kind, **whom)
    append(consent, Status.ACTIVE, said, act, event)
    return consent


def _each(patient: "Patient", was: str, becomes: str, act: Act, event: EventType) -> list[Consent]:
    lock(patient.id)
    rows = patient.consents.filter(status=was).exclude(kind__in=OPERATIONAL).select_related("helper__patient")
    now = timezone.now()
    consents = [
        consent
        for consent in rows.order_by("created_at")
        if becomes != Status.PAUSED
        or consent.helper is None
        or helper_rights.may_patient_pause(consent.helper, now)
    ]
    for consent in consents:
        append(consent, becomes, None, act, event)
    return consents


def _end_others(consent: Consent, act: Act) -> None:
    """What was proposed takes the place of an open consent for the same."""
    same: dict[str, Any] = {
        name: getattr(consent, name) for name in ("client", "helper", "recipient", "directive")
    }
    if consent.kind == Kind.RESTRICTION:
        return  # there can be many
    others = Consent.objects.filter(patient=consent.patient, kind=consent.kind, status__in=OPEN, **same)
    for other in others.exclude(pk=consent.pk):
        other.revoked_at, other.revoked_by = timezone.now(), act.by
        append(other, Status.INACTIVE, None, act, EventType.CONSENT_REVOKE)


def _until(provision: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    """The same provision with another end wherever it has one."""
    changed = dict(provision)
    if "end" in changed.get("period", {}):
        changed["period"] = changed["period"] | {"end": until.isoformat()}
    if "provision" in changed:
        changed["provision"] = [_until(part, until) for part in changed["provision"]]
    return changed


def _tell(consent: Consent, kind: str) -> None:
    if consent.client:
        _tell_patient(consent.patient, kind, app=consent.client.name)


def _tell_patient(patient: "Patient", kind: str, **names: str) -> None:
    """Who has no log-in, as a child, is told nothing."""
    user = patient.user
    if user:
        notices.enqueue(
            kind, recipient=f"User/{user.pk}", email=user.email, language=user.language, context=names
        )
