"""What a helper may do now: by the relationship's state and dates, its consent, and the patient's age."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts import relationships
from accounts.models import Patient, RelatedPerson, StaffRole
from accounts.relation_states import HELPING, LIVING, Why
from accounts.relations import Refused
from consent import ages
from consent.decision import Reason
from consent.models import Consent
from consent.vocabulary import Category

if TYPE_CHECKING:
    from accounts.models import User

Basis, Level, Status = RelatedPerson.Basis, RelatedPerson.Level, RelatedPerson.Status
OVER: Mapping[str, Reason] = {
    Status.ASKED: Reason.HOLD,
    Status.DENIED: Reason.NO_CONSENT,
    Status.ENDED: Reason.REVOKED,
    Status.REVOKED: Reason.REVOKED,
    Status.EXPIRED: Reason.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a relationship lets its helper act now; `reason` is None where it does."""

    relation: RelatedPerson
    reason: Reason | None
    since: datetime | None = None  # when it ended


def is_past_teen_rules(relation: RelatedPerson) -> bool:
    """Diminished capacity, or a power of attorney: neither a teen's privacy nor an age ends it.

    Of a teen who cannot decide for themself, as staff found, parents and guardians see what they saw of the
    child; being of age ends a parent's help all the same.
    """
    by_law = relation.basis in (Basis.PARENT, Basis.GUARDIAN)
    exempt = by_law and relation.patient.incapable_since is not None
    return exempt or relationships.bases()[relation.basis].past_teen_rules


def standing(relation: RelatedPerson, now: datetime | None = None) -> Standing:
    """By the state, the dates, and the patient's age at this moment."""
    now = now or timezone.now()
    if relation.status in OVER:
        grown = relation.reason == Why.OF_AGE
        return Standing(relation, Reason.OF_AGE if grown else OVER[relation.status], relation.period_end)
    if relation.period_end is not None and relation.period_end <= now:
        return Standing(relation, Reason.EXPIRED, relation.period_end)
    if relation.basis == Basis.PARENT and not ages.is_minor(relation.patient, now):
        return Standing(relation, Reason.OF_AGE)
    if relation.review_at is not None and relation.review_at <= now:
        return Standing(relation, Reason.HOLD, relation.review_at)
    return Standing(relation, None)


def may_patient_change(relation: RelatedPerson, now: datetime) -> bool:
    """Whether the patient alone decides: not where a court or parental authority stands behind it."""
    if relation.status not in HELPING:
        return True
    if relation.basis == Basis.PARENT:
        return not ages.is_minor(relation.patient, now)
    return relation.basis in (Basis.CHOICE, Basis.ATTORNEY)


def may_patient_pause(relation: RelatedPerson, now: datetime) -> bool:
    """Whether "pause all" holds for this helper: not for what the law gave a parent or a guardian, unless
    the law of the place lets a teen."""
    if may_patient_change(relation, now):
        return True
    return ages.is_teen(relation.patient, now) and ages.law_of(relation.patient).teen_pauses


def hidden(relation: RelatedPerson, now: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """(labels, categories) that this helper does not see because the patient is a teen."""
    patient = relation.patient
    if not ages.is_teen(patient, now) or is_past_teen_rules(relation):
        return frozenset(), frozenset()
    law = ages.law_of(patient)
    given_back = law.assent and relation.reason == Why.TEEN_ASSENT
    return law.private_to_teens, frozenset() if given_back else law.kinds


def consent_of(relation: RelatedPerson) -> Consent | None:
    """The newest consent behind a relationship."""
    return relation.consents.order_by("-created_at", "-pk").first()


def categories_of(level: str, chosen: Collection[str] = ()) -> list[Category]:
    """The kinds of record of a level; of "own", those that were chosen."""
    codes = chosen if level == Level.OWN else relationships.levels()[level].categories
    return [category for category in Category if category in set(codes)]


def for_writing(categories: Collection[Category], may_write: bool) -> list[Category]:
    """Who sends things for the patient sees messages too: what they send themself, and what comes back."""
    return [c for c in Category if c in categories or (may_write and c is Category.MESSAGES)]


def categories_now(relation: RelatedPerson) -> set[str]:
    """What the consent behind it names; before any rule on age."""
    consent = consent_of(relation)
    return set(consent.current.permit.categories) if consent and consent.is_active else set()


def visible(relation: RelatedPerson, now: datetime) -> set[str]:
    """The kinds of record that a helper can see something of now."""
    if standing(relation, now).reason is not None:
        return set()
    return categories_now(relation) - set(hidden(relation, now)[1])


def is_wider(
    relation: RelatedPerson, chosen: Collection[str], *, may_share: bool, may_write: bool, until: datetime
) -> bool:
    """Whether a change lets the helper do anything that they cannot do now: that needs a step-up."""
    longer = relation.period_end is not None and until > relation.period_end + timedelta(days=1)
    more = (may_share and not relation.may_share) or (may_write and not relation.may_write)
    return bool(set(chosen) - categories_now(relation)) or more or longer


def latest_end(basis: str, patient: Patient, now: datetime) -> datetime:
    """Until when a relationship on this ground can hold at most."""
    most = now + timedelta(days=relationships.bases()[basis].days)
    if basis != Basis.PARENT:
        return most
    return min(most, ages.birthday(patient, ages.law_of(patient).minor_until))


def check(
    patient: Patient, user: "User", *, relationship: str, basis: str, until: datetime, now: datetime
) -> None:
    """What no relationship may be. Raises Refused."""
    kind, ground = relationships.kinds()[relationship], relationships.bases()[basis]
    age, law = ages.age_at(patient, now), ages.law_of(patient)
    if patient.user_id == user.pk:
        raise Refused("helper.self")
    if bool(patient.died_on) != (basis == Basis.ESTATE):
        raise Refused("helper.state")
    if basis not in kind.bases:
        raise Refused("helper.basis")
    of_age = law.minor_until if ages.is_minor(patient, now) else min(law.minor_until, age)
    if not ground.suits(age, of_age):
        raise Refused("helper.age")
    own = Patient.objects.filter(user=user).first()
    if own and ages.age_at(own, now) < kind.helper_from:
        raise Refused("helper.age")
    if until <= now:
        raise Refused("helper.past")
    if patient.helpers.filter(user=user, status__in=LIVING).exists():
        raise Refused("helper.duplicate")
    if own and basis != Basis.CHOICE and _decides_for(own, patient):
        raise Refused("helper.circular")
    if user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exists() and _treats(user, patient):
        raise Refused("helper.staff")


def _decides_for(own: Patient, patient: Patient) -> bool:
    """Whether the patient decides for the helper already, or for who decides for the helper, and so on:
    nobody decides for themself by way of others."""
    deciders: set[UUID | None] = {own.user_id}
    known: set[UUID | None] = set()
    while deciders := deciders - known:
        known |= deciders
        decided_for = RelatedPerson.objects.filter(patient__user__in=deciders, status__in=LIVING)
        deciders = set(decided_for.exclude(basis=Basis.CHOICE).values_list("user_id", flat=True))
    return patient.user_id in known - {own.user_id}


def _treats(user: "User", patient: Patient) -> bool:
    return bool(import_string(settings.CLINICIAN_CHECK)(user, patient))
