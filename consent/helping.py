"""Helpers: each change of who may act for a patient.

A relationship (`accounts.relations`) says who they are to each other; a consent of the kind "helper" says
what they may see. Each command here changes both in one transaction, under the patient's lock. What
they may do at a moment is `consent.helper_rights`, where age is looked at whenever something is asked for.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import identities, relations, relationships
from accounts.models import RelatedPerson
from accounts.relation_states import HELPING, LIVING, Why
from accounts.relations import Refused
from audit.events import EventType, Role
from consent import ages, commands, helper_rights
from consent.models import Consent
from consent.versions import Act, lock
from consent.vocabulary import Category
from notices import commands as notices
from smart import launches

if TYPE_CHECKING:
    from accounts.models import User

Basis, Level, Status = RelatedPerson.Basis, RelatedPerson.Level, RelatedPerson.Status


@transaction.atomic
def change(
    relation: RelatedPerson,
    *,
    level: str,
    categories: Collection[str],
    may_share: bool,
    may_write: bool,
    until: datetime,
    act: Act,
    seen: int,
) -> RelatedPerson:
    """The patient lets a helper see less or more, for shorter or longer. Raises Refused."""
    lock(relation.patient_id)
    relation = RelatedPerson.objects.select_related("patient").get(pk=relation.pk)
    now, chosen = timezone.now(), helper_rights.categories_of(level, categories)
    if not helper_rights.may_patient_change(relation, now):
        raise Refused("helper.law")
    if until <= now:
        raise Refused("helper.past")
    if not chosen:
        raise Refused("helper.nothing")
    wider = helper_rights.is_wider(relation, chosen, may_share=may_share, may_write=may_write, until=until)
    why = Why.PATIENT_WIDENED if wider else Why.PATIENT_NARROWED
    until = min(until, helper_rights.latest_end(relation.basis, relation.patient, now))
    relation = relations.become(
        relation,
        why,
        by=act.by,
        role=Role.PATIENT,
        seen=seen,
        level=level,
        may_share=may_share and relationships.levels()[level].share,
        may_write=may_write,
        period_end=until,
    )
    if not relation.may_share:
        launches.end_of_helper(relation)
    let(relation, chosen, act)
    tell(relation, "helper_changed")
    return relation


@transaction.atomic
def approve_again(relation: RelatedPerson, *, act: Act, seen: int) -> RelatedPerson:
    """The patient, or staff for who cannot, says that it goes on. Raises Refused."""
    lock(relation.patient_id)
    relation = RelatedPerson.objects.select_related("patient").get(pk=relation.pk)
    now, ground = timezone.now(), relationships.bases()[relation.basis]
    until = min(
        now + timedelta(days=ground.review_days),
        helper_rights.latest_end(relation.basis, relation.patient, now),
    )
    end = max(until, relation.period_end or until)
    relation = relations.become(
        relation,
        Why.RENEWED,
        by=act.by,
        role=act.role,
        seen=seen,
        review_at=now + timedelta(days=ground.review_days),
        period_end=min(end, helper_rights.latest_end(relation.basis, relation.patient, now)),
    )
    if (consent := helper_rights.consent_of(relation)) and consent.is_active and relation.period_end:
        commands.renew(consent, until=relation.period_end, act=act)
    tell(relation, "helper_changed")
    return relation


@transaction.atomic
def give_back(relation: RelatedPerson, *, act: Act, seen: int) -> RelatedPerson:
    """A teen lets a parent see the kinds of record that their age took; never the private topics."""
    lock(relation.patient_id)
    relation = RelatedPerson.objects.select_related("patient").get(pk=relation.pk)
    now = timezone.now()
    if not (ages.is_teen(relation.patient, now) and ages.law_of(relation.patient).assent):
        raise Refused("helper.age")
    if relation.status == Status.CONFIRMED:
        relation = relations.become(relation, Why.TEEN_AGE, by=None, role=Role.SYSTEM, seen=seen)
        seen = relation.version
    relation = relations.become(relation, Why.TEEN_ASSENT, by=act.by, role=Role.PATIENT, seen=seen)
    if consent := helper_rights.consent_of(relation):
        # A version of the consent, so that what is being answered now is decided anew.
        commands.renew(
            consent,
            until=consent.period_end or helper_rights.latest_end(Basis.PARENT, relation.patient, now),
            act=act,
        )
    return relation


@transaction.atomic
def end(
    relation: RelatedPerson,
    why: Why,
    *,
    by: "User | None",
    role: str,
    note: str = "",
    seen: int | None = None,
) -> RelatedPerson:
    """End it now, with the consent and all that rests on it. Ended before: nothing changes."""
    lock(relation.patient_id)
    relation = RelatedPerson.objects.select_related("patient").get(pk=relation.pk)
    if relation.status not in LIVING:
        return relation
    if why == Why.PATIENT_STOPPED and not helper_rights.may_patient_change(relation, timezone.now()):
        raise Refused("helper.law")
    relation = relations.become(relation, why, by=by, role=role, seen=seen, note=note)
    launches.end_of_helper(relation)
    if consent := helper_rights.consent_of(relation):
        if by is None:
            commands.lapse(consent)
        else:
            commands.revoke(consent, by=by, role=role)
    tell(relation, "helper_stopped")
    return relation


def stop_as_staff(relation: RelatedPerson, *, by: "User", note: str, seen: int) -> RelatedPerson:
    """Staff ends it, as after a court's order. Raises Refused."""
    check_staff(relation, by)
    return end(relation, Why.STAFF_STOPPED, by=by, role=Role.COMPLIANCE, note=note, seen=seen)


def renew_as_staff(relation: RelatedPerson, *, by: "User", act: Act, seen: int) -> RelatedPerson:
    """Staff says that it goes on, for a patient who cannot. Raises Refused."""
    check_staff(relation, by)
    return approve_again(relation, act=act, seen=seen)


def check_staff(relation: RelatedPerson, by: "User") -> None:
    """Nobody decides about their own help, or about who helps them."""
    if not identities.may_decide(by) or by.pk in (relation.user_id, relation.patient.user_id):
        raise Refused("role.not-allowed")


def end_of_consent(consent_id: UUID) -> int:
    """The consent ended, so the relationship does (`consent.dependents`): stopped on the page of sharing, or
    run out. A pause ends nothing."""
    consent = Consent.objects.filter(pk=consent_id, helper__isnull=False).select_related("helper").first()
    if consent is None or consent.status != Consent.Status.INACTIVE or consent.helper is None:
        return 0
    if consent.helper.status not in HELPING:
        return 0
    why = Why.PATIENT_STOPPED if consent.revoked_at else Why.TIME_OVER
    relation = relations.become(consent.helper, why, by=consent.revoked_by, role=Role.PATIENT)
    launches.end_of_helper(relation)
    tell(relation, "helper_stopped")
    return 1


def expire_due() -> int:
    """Write down what has run out by the clock, at most 200 at once. Decisions look at the clock."""
    now = timezone.now()
    due = RelatedPerson.objects.filter(status__in=LIVING, period_end__lte=now).select_related("patient")[:200]
    grown = [
        r
        for r in RelatedPerson.objects.filter(status__in=HELPING, basis=Basis.PARENT)
        .filter(
            Q(patient__birth_date__lte=now.date() - timedelta(days=16 * 365))
            | Q(patient__emancipated_on__isnull=False)
        )
        .select_related("patient")[:2000]
        if not ages.is_minor(r.patient, now)
    ]
    for relation in due:
        asked = relation.status == Status.ASKED
        end(relation, Why.NOT_ANSWERED if asked else Why.TIME_OVER, by=None, role=Role.SYSTEM)
    for relation in grown:
        freed = ages.age_at(relation.patient, now) < ages.law_of(relation.patient).minor_until
        end(relation, Why.EMANCIPATED if freed else Why.OF_AGE, by=None, role=Role.SYSTEM)
    return len(due) + len(grown)


def note_acting(relation: RelatedPerson, *, by: "User", refused: str = "") -> None:
    """That somebody begins to act for a patient stands in the patient's log."""
    target = f"RelatedPerson/{relation.pk}"
    relations.log(
        EventType.HELPER_ACT, relation.patient, by=by, role=Role.HELPER, target=target, refused=refused
    )


def let(relation: RelatedPerson, categories: Collection[Category], act: Act) -> Consent:
    assert relation.period_end is not None
    return commands.let_help(
        relation=relation,
        categories=helper_rights.for_writing(categories, relation.may_write),
        labels=[],
        until=relation.period_end,
        act=act,
        can_write=relation.may_write,
    )


def tell(relation: RelatedPerson, kind: str) -> None:
    """Both of them, where they sign in. The patient reads who it is, the helper for whom."""
    told = [(relation.patient.user, relation.user.name), (relation.user, relation.patient.name)]
    for user, other in told:
        if user:
            notices.enqueue(
                kind if user != relation.user else "helping_changed",
                recipient=f"User/{user.pk}",
                email=user.email,
                language=user.language,
                context={"helper": other} if user != relation.user else {"patient": other},
            )
