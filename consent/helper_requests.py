"""Help that begins with a request: a person asks, shows evidence, and staff answers."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts import relations, relationships
from accounts.matching import plain
from accounts.models import Patient, RelatedPerson
from accounts.relation_states import Why
from accounts.relations import Refused
from audit.events import EventType, Role
from consent import helper_rights, helping
from consent.decision import Reason
from consent.versions import Act, lock

if TYPE_CHECKING:
    from accounts.models import User

Basis, Level = RelatedPerson.Basis, RelatedPerson.Level
MOST_REQUESTS = 5  # of one person in a day


def ask_for(
    user: "User",
    *,
    name: str,
    born: date,
    relationship: str,
    basis: str,
    evidence: Collection[str],
) -> RelatedPerson | None:
    """A request about whoever has that name and date of birth; None where there is not exactly one, or the
    rules do not allow it: whoever asks is told the same. Too many requests of one person find nobody."""
    since = timezone.now() - timedelta(days=1)
    if user.helps.filter(period_start__gt=since).count() >= MOST_REQUESTS:
        return None
    same = [
        patient
        for patient in Patient.objects.filter(birth_date=born, merged_into=None)
        if plain(patient.name) == plain(name)
    ]
    if len(same) != 1:
        return None
    try:
        return ask(
            same[0],
            relationship=relationship,
            basis=basis,
            level=Level.MOST,
            evidence=evidence,
            by=user,
        )
    except Refused as error:
        relations.log(
            EventType.HELPER_ASK,
            same[0],
            by=user,
            role=Role.HELPER,
            target=f"User/{user.pk}",
            refused=error.code,
            helper=user.pk,
        )
        return None


@transaction.atomic
def ask(
    patient: Patient, *, relationship: str, basis: str, level: str, evidence: Collection[str], by: "User"
) -> RelatedPerson:
    """A person asks to help, and says what they can show; staff answers. Raises Refused."""
    lock(patient.pk)
    now = timezone.now()
    until = helper_rights.latest_end(basis, patient, now)
    helper_rights.check(patient, by, relationship=relationship, basis=basis, until=until, now=now)
    relation = relations.start(
        patient,
        by,
        Why.REQUESTED,
        relationship=relationship,
        basis=basis,
        level=level,
        may_write=True,  # a personal representative acts as the patient would (45 CFR 164.502(g))
        evidence=evidence,
        until=until,
        review_at=now + timedelta(days=relationships.bases()[basis].review_days),
        by=by,
        role=Role.HELPER,
    )
    helping.tell(relation, "helper_asked")
    return relation


@transaction.atomic
def decide(
    relation: RelatedPerson, why: Why, *, by: "User", note: str, evidence: Collection[str], seen: int
) -> RelatedPerson:
    """The answer of staff to a request: EVIDENCE_SEEN, EVIDENCE_REFUSED or MORE_EVIDENCE. Raises Refused."""
    lock(relation.patient_id)
    helping.check_staff(relation, by)
    now, ground = timezone.now(), relationships.bases()[relation.basis]
    if why == Why.EVIDENCE_SEEN and not set(ground.evidence) <= set(evidence):
        raise Refused("helper.evidence")
    changed: dict[str, object] = {"evidence": sorted(evidence)} if why == Why.EVIDENCE_SEEN else {}
    if why == Why.EVIDENCE_SEEN and relation.basis == Basis.ESTATE:
        changed["may_share"] = True  # stands in for who died, copies included: 45 CFR 164.524
    relation = relations.become(relation, why, by=by, role=Role.COMPLIANCE, seen=seen, note=note, **changed)
    if why == Why.EVIDENCE_SEEN:
        if (reason := helper_rights.standing(relation, now).reason) is not None:
            raise Refused("helper.age" if reason is Reason.OF_AGE else "helper.past")
        act = Act(by=by, channel="staff", role=Role.COMPLIANCE)
        helping.let(relation, helper_rights.categories_of(relation.level or Level.MOST), act)
    helping.tell(relation, "helper_added" if why == Why.EVIDENCE_SEEN else "helper_changed")
    return relation
