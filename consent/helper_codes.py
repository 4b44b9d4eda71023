"""Help that begins with a one-time code: the patient invites, and whoever enters the code is a helper."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts import relations, relationships
from accounts.models import HelperInvitation, Patient, RelatedPerson
from accounts.relation_states import Why
from accounts.relations import Refused
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent import ages, helper_rights, helping
from consent.versions import Act, lock

if TYPE_CHECKING:
    from accounts.models import User

Basis = RelatedPerson.Basis


@transaction.atomic
def invite(
    patient: Patient,
    *,
    relationship: str,
    level: str,
    categories: Collection[str],
    may_share: bool,
    may_write: bool,
    until: datetime,
    act: Act,
) -> tuple[HelperInvitation, str]:
    """An invitation, and its one-time code, which stands nowhere. Raises Refused."""
    assert act.by is not None
    lock(patient.pk)
    now, ground = timezone.now(), relationships.bases()[Basis.CHOICE]
    if Basis.CHOICE not in relationships.kinds()[relationship].bases:
        raise Refused("helper.basis")
    if not ground.suits(ages.age_at(patient, now), ages.law_of(patient).minor_until):
        raise Refused("helper.age")
    if until <= now:
        raise Refused("helper.past")
    chosen = helper_rights.categories_of(level, categories)
    if not chosen:
        raise Refused("helper.nothing")
    return relations.invite(
        patient,
        relationship=relationship,
        level=level,
        categories=chosen,
        may_share=may_share and relationships.levels()[level].share,
        may_write=may_write,
        until=min(until, helper_rights.latest_end(Basis.CHOICE, patient, now)),
        by=act.by,
        text_shown=act.text_shown,
        language=act.language,
    )


def note_wrong_code(user: "User", error: Refused) -> None:
    """Somebody entered a code that let them in nowhere. In their own log, if they have a record."""
    own = Patient.objects.filter(user=user).first()
    record(
        Entry(
            type=EventType.HELPER_TRY,
            outcome=Outcome.DENY,
            actor=f"User/{user.pk}",
            role=Role.PATIENT if own else Role.HELPER,
            patient=f"Patient/{own.pk}" if own else "",
            target=f"User/{user.pk}",
            reasons=(error.code,),
        )
    )


def accept(code: str, *, by: "User", act: Act) -> RelatedPerson:
    """Take an invitation by its code: from now on `by` is a helper. Raises Refused.

    A code is taken once: of two who enter it at the same time, one is told that it is not right. A wrong
    one counts, and so is looked for outside of the transaction.
    """
    return _accept(relations.find_invitation(code, by=by), by, act)


@transaction.atomic
def _accept(invitation: HelperInvitation, by: "User", act: Act) -> RelatedPerson:
    patient, now = invitation.patient, timezone.now()
    lock(patient.pk)
    helper_rights.check(
        patient,
        by,
        relationship=invitation.relationship,
        basis=Basis.CHOICE,
        until=invitation.until,
        now=now,
    )
    if not HelperInvitation.objects.filter(pk=invitation.pk, taken_at=None, cancelled_at=None).exists():
        raise Refused("helper.code")
    relation = relations.start(
        patient,
        by,
        Why.CODE_TAKEN,
        relationship=invitation.relationship,
        basis=Basis.CHOICE,
        level=invitation.level,
        may_share=invitation.may_share,
        may_write=invitation.may_write,
        until=min(invitation.until, helper_rights.latest_end(Basis.CHOICE, patient, now)),
        review_at=now + timedelta(days=relationships.bases()[Basis.CHOICE].review_days),
        by=by,
        role=Role.HELPER,
    )
    invitation.taken_at, invitation.relation = now, relation
    invitation.save(update_fields=["taken_at", "relation"])
    said = Act(
        by=invitation.made_by,
        channel=act.channel,
        text_shown=invitation.text_shown,
        language=invitation.text_language,
    )
    helping.let(relation, helper_rights.categories_of(invitation.level, invitation.categories), said)
    helping.tell(relation, "helper_added")
    return relation
