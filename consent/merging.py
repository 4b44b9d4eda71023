"""Records are joined to a patient's, or two patients become one, and nobody sees more than before.

Whoever was let in was let in to the records of that day. So every grant is paused, and those of a
patient who is merged away are proposed anew to the one who is kept: docs/adr/0010. What either denied
holds for the whole record from then on.
"""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import identities, relations
from accounts.identities import Refused
from accounts.models import Patient, PatientIdentity, RelatedPerson
from accounts.relation_states import LIVING, Why
from audit.events import EventType, Role
from consent.models import Consent, Epoch
from consent.versions import OPERATIONAL, Act, append, lock
from notices import commands as notices
from smart import tokens

if TYPE_CHECKING:
    from accounts.models import User

Kind, Status = Consent.Kind, Consent.Status
CHANNEL = "merge"  # of a version that a merge made: why it is paused, or asked for
JOINED = "join"  # and of one that a new record at an EHR made
INHERITED = ("period", "actor", "purpose")  # by an exception, of a root that permits


def change_identities(*patients: uuid.UUID) -> None:
    """To be called before identities change: answers and pages that were decided by them end.

    Locks are taken in one order, whoever asks, so that two merges cannot wait for each other.
    """
    for patient_id in sorted(patients):
        lock(patient_id)
        Epoch.objects.get_or_create(patient_id=patient_id)
        Epoch.objects.filter(patient_id=patient_id).update(number=F("number") + 1)


def pause_for_new_records(patient: Patient, by: "User | None") -> None:
    """Whoever was let in waits for a new yes: records come that the patient was not asked about.

    In the caller's transaction, after `change_identities`. The patient is told.
    """
    role = "compliance" if identities.may_decide(by) else "system"
    _tell(patient, waits=_narrow(patient, Act(by=by, channel=JOINED, role=role)))


def is_new_records(consent: Consent) -> bool:
    """Whether a consent waits for the patient since records were joined, also where it was changed since."""
    if consent.status not in (Status.PAUSED, Status.PROPOSED):
        return False
    waiting = consent.versions.filter(channel__in=(CHANNEL, JOINED), status=consent.status)
    before = consent.versions.exclude(status=consent.status).order_by("-number").first()
    return waiting.filter(number__gt=before.number if before else 0).exists()


def merge(actor: "User", kept: Patient, merged: Patient, reason: str) -> Patient:
    """`merged` becomes a row that only says into whom. Raises Refused, which stands in the log.

    Tokens of `merged` die; its identities and helpers are those of `kept`; its grants are proposals.
    """
    try:
        return _merge(actor, kept.pk, merged.pk, reason)
    except Refused as error:
        _log(EventType.PATIENT_MERGE, merged, kept, actor, refused=error.code)
        raise


def unmerge(actor: "User", merged: Patient, reason: str) -> Patient:
    """Two patients again: the records that came with `merged` go back, and what it denied holds there.

    Grants of both stay paused and what was proposed is withdrawn; helpers and apps are let in anew.
    What `merged` denied holds for both until it is taken back. Raises Refused.
    """
    try:
        return _unmerge(actor, merged.pk, reason)
    except Refused as error:
        _log(EventType.PATIENT_SPLIT, merged, merged, actor, refused=error.code)
        raise


@transaction.atomic
def _merge(actor: "User", kept_id: uuid.UUID, merged_id: uuid.UUID, reason: str) -> Patient:
    change_identities(*{kept_id, merged_id})
    kept, merged = Patient.objects.get(pk=kept_id), Patient.objects.get(pk=merged_id)
    _check(actor, kept, merged)
    act = Act(by=actor, channel=CHANNEL, role="compliance")
    coming, own = list(merged.identities.all()), kept.identities.exists()
    waits = bool(coming) and _narrow(kept, act)
    helpers = {
        relation.pk: _helper(relation, kept, actor) for relation in merged.helpers.filter(status__in=LIVING)
    }
    waits |= _carry_over(merged, kept, helpers, act, limits=bool(coming) or own)
    for identity in coming:
        identities.move(identity, kept, by=actor, reason=reason)
    ending = list(merged.helpers.filter(status__in=LIVING))
    if kept.user_id:  # nobody is their own helper
        ending += kept.helpers.filter(user=kept.user_id, status__in=LIVING)
    for relation in ending:
        relations.become(relation, Why.MERGED, by=actor, role=Role.COMPLIANCE)
    merged.merged_into = kept
    merged.save(update_fields=["merged_into"])
    kept.watched_since = kept.watched_since or merged.watched_since
    kept.save(update_fields=["watched_since"])
    _log(EventType.PATIENT_MERGE, kept, merged, actor)
    _log(EventType.PATIENT_MERGE, merged, kept, actor)
    if coming or waits:
        _tell(kept, waits=waits)
    return kept


def check_records(actor: "User", kept: Patient, merged: Patient) -> None:
    """Whether the two can be one at all, whoever signs in to them. Raises Refused."""
    if not identities.may_decide(actor):
        raise Refused("role.not-allowed", "Only privacy staff and administrators merge patients.")
    if kept == merged:
        raise Refused("merge.self", "A patient cannot be merged into themself.")
    if kept.merged_into_id or merged.merged_into_id:
        raise Refused("merge.tombstone", "One of the two was merged already. Name the one who was kept.")
    both = set(kept.identities.values_list("source", flat=True)) & set(
        merged.identities.values_list("source", flat=True)
    )
    if both:
        raise Refused(
            "merge.same-source",
            f"Both have a record at {', '.join(sorted(both))}. Have that EHR merge its two first.",
        )


def _check(actor: "User", kept: Patient, merged: Patient) -> None:
    check_records(actor, kept, merged)
    if merged.user_id and kept.user_id:
        raise Refused("merge.accounts", "Both sign in. Propose it to them on the console: they both agree.")
    if merged.user_id:
        raise Refused("merge.accounts", "The one to be merged away signs in. Keep that one instead.")


def _narrow(kept: Patient, act: Act) -> bool:
    """What `kept` permitted was said of its own records: it does not reach those that come.

    True where something changed. What is paused already says from now on that records came.
    """
    active = _active(kept)
    paused = list(kept.consents.filter(status=Status.PAUSED).order_by("created_at", "pk"))
    permits = [consent for consent in active if consent.kind not in OPERATIONAL or _permits(consent)]
    for consent in permits:
        _keep_limits(consent, kept, act)
        if consent.kind in OPERATIONAL:
            consent.revoked_at, consent.revoked_by = timezone.now(), act.by
            append(consent, Status.INACTIVE, None, act, EventType.CONSENT_CHOOSE)
    for consent in (*permits, *paused):
        if consent.kind not in OPERATIONAL:
            append(consent, Status.PAUSED, None, act, EventType.CONSENT_PAUSE)
    return bool(permits or paused)


def _carry_over(
    merged: Patient, kept: Patient, helpers: dict[uuid.UUID, RelatedPerson | None], act: Act, *, limits: bool
) -> bool:
    """The choices of `merged`, for `kept`; True where one waits for an answer now. Those that deny stay
    in force at `merged` too, for an undo."""
    asked = False
    for consent in _active(merged):
        if limits:
            _keep_limits(consent, kept, act)
        if consent.kind in OPERATIONAL:
            continue
        helper = helpers.get(consent.helper_id) if consent.helper_id else None
        if consent.kind != Kind.HELPER or helper:
            _ask_again(consent, kept, helper, act)
            asked = True
        append(consent, Status.PAUSED, None, act, EventType.CONSENT_PAUSE)
        tokens.revoke_all(consent.pk)
    # Those that were paused before keep living tokens, which would work again.
    for paused in merged.consents.filter(status=Status.PAUSED, kind=Kind.APP):
        tokens.revoke_all(paused.pk)
    return asked


def _ask_again(consent: Consent, kept: Patient, helper: RelatedPerson | None, act: Act) -> None:
    said = consent.current.as_fhir()
    if helper:
        old, new = f"RelatedPerson/{consent.helper_id}", f"RelatedPerson/{helper.pk}"
        said["provision"] = _renamed(said["provision"], old, new)
    asked = Consent(
        patient=kept, kind=consent.kind, client=consent.client, helper=helper, recipient=consent.recipient
    )
    append(asked, Status.PROPOSED, said, act, EventType.CONSENT_PROPOSE)


def _keep_limits(consent: Consent, patient: Patient, act: Act) -> None:
    """What a consent denies to whoever asks, each as a limit of its own. An app's or a helper's denies
    nothing to others."""
    if consent.kind in (Kind.APP, Kind.HELPER):
        return
    whole = consent.current.as_fhir()["provision"]
    for limit in _limits(whole, operational=consent.kind in OPERATIONAL):
        made = Consent(patient=patient, kind=Kind.RESTRICTION)
        append(made, Status.ACTIVE, {"provision": limit}, act, EventType.CONSENT_CHOOSE)


def _limits(whole: dict[str, Any], *, operational: bool) -> Iterator[dict[str, Any]]:
    """Its denials, without the exceptions to them: those are permits."""
    inherited = {name: whole[name] for name in INHERITED if name in whole and whole["type"] == "permit"}
    if whole["type"] == "deny" and operational:
        yield {name: value for name, value in whole.items() if name != "provision"}
    for part in whole.get("provision", []):
        if part["type"] == "deny":
            yield inherited | part


def _permits(consent: Consent) -> bool:
    return any(row["type"] == "permit" for row in consent.current.provisions)


def _helper(relation: RelatedPerson, kept: Patient, actor: "User") -> RelatedPerson | None:
    """The same relation to `kept`; None where it would be to themself."""
    if relation.user_id == kept.user_id:
        return None
    known = kept.helpers.filter(user=relation.user_id, status__in=LIVING).first()
    return known or relations.carry_over(relation, kept, by=actor)


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(part, old, new) for name, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, old, new) for part in value]
    return new if value == old else value


@transaction.atomic
def _unmerge(actor: "User", merged_id: uuid.UUID, reason: str) -> Patient:
    kept_id = Patient.objects.get(pk=merged_id).merged_into_id
    if kept_id is None:
        raise Refused("merge.none", "This patient was not merged into another.")
    if not identities.may_decide(actor):
        raise Refused("role.not-allowed", "Only privacy staff and administrators part patients.")
    change_identities(kept_id, merged_id)
    merged = Patient.objects.get(pk=merged_id)
    if merged.merged_into_id != kept_id:
        raise Refused("merge.none", "This patient was parted a moment ago.")
    if Patient.objects.get(pk=kept_id).merged_into_id:  # who has the records of both by now
        raise Refused("merge.tombstone", "Who was kept was merged as well since. Part that one first.")
    merged.merged_into = None
    merged.save(update_fields=["merged_into"])
    for identity in _came_with(merged, kept_id):
        identities.move(identity, merged, by=actor, reason=reason)
    act = Act(by=actor, channel=CHANNEL, role="compliance")
    for asked in Consent.objects.filter(patient_id=kept_id, status=Status.PROPOSED):
        if asked.current.channel == CHANNEL:
            append(asked, Status.REJECTED, None, act, EventType.CONSENT_ANSWER)
    kept = Patient.objects.get(pk=kept_id)
    _log(EventType.PATIENT_SPLIT, merged, kept, actor)
    _log(EventType.PATIENT_SPLIT, kept, merged, actor)
    return merged


def _came_with(merged: Patient, kept_id: uuid.UUID) -> list[PatientIdentity]:
    """The living identities of the one who was kept that are there by the merge with the other."""
    living = PatientIdentity.objects.filter(patient_id=kept_id)
    return [identity for identity in living if identities.came_from(identity) == merged.pk]


def _active(patient: Patient) -> list[Consent]:
    return list(patient.consents.filter(status=Status.ACTIVE).order_by("created_at", "pk"))


def _tell(patient: Patient, *, waits: bool) -> None:
    """Who has no log-in is told nothing, as of every change."""
    if user := patient.user:
        notices.enqueue(
            "sharing_waits" if waits else "records_joined",
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={},
        )


def _log(event: EventType, patient: Patient, other: Patient, actor: "User", *, refused: str = "") -> None:
    identities.log(event, patient, f"Patient/{other.pk}", by=actor, refused=refused)
