"""Who leaves: a patient who closes their account, somebody who died, a member of staff. What ends with whom
is one table, in docs/staff.md.

An owner's closing waits for `WAITS`, in which their sharing is on hold and they can undo it. Records are the
clinic's and stay; so does the log. The account lets go of the record, so that the clinic can hand out a new
code to somebody who comes back.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils import timezone

from accounts import endings, identities, relations
from accounts.endings import Change
from accounts.identities import Refused
from accounts.models import Patient, User
from accounts.relation_states import LIVING, Why
from audit.events import EventType, Role
from consent import commands, helper_rights, helping
from consent.models import Consent
from consent.versions import OPERATIONAL, Act, append, lock
from notices import commands as notices

if TYPE_CHECKING:
    from accounts.models import RelatedPerson

WAITS = timedelta(days=7)
CHANNEL = "closing"  # of a version that paused a consent because its patient asked to close the account
Status = Consent.Status
# What rooms above keep of a patient who leaves: told of the patient, says how many things it ended.
on_leave: dict[str, Callable[[Patient], int]] = {}


@transaction.atomic
def ask_to_close(user: User, *, act: Act, session_key: str | None) -> None:
    """The owner closes their account: on hold now, closed after `WAITS`. Asked before: nothing changes."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.closes_at or not user.is_active:
        return
    user.closes_at = timezone.now() + WAITS
    user.save(update_fields=["closes_at"])
    if patient := Patient.objects.filter(user=user).first():
        commands.pause_all(patient, act=act, tells=False)
    endings.changed(user, Change.CLOSING, session_key=session_key)
    _tell(user, "account_closes")


@transaction.atomic
def stay(user: User, *, act: Act, session_key: str | None) -> bool:
    """The owner undoes it: what was put on hold by it goes on. False where it is too late, or was undone."""
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.closes_at is None or not user.is_active:
        return False
    user.closes_at = None
    user.save(update_fields=["closes_at"])
    if patient := Patient.objects.filter(user=user).first():
        lock(patient.pk)
        for consent in patient.consents.filter(status=Status.PAUSED):
            if consent.current.channel == CHANNEL:
                append(consent, Status.ACTIVE, None, act, EventType.CONSENT_RESUME)
    endings.changed(user, Change.STAYING, session_key=session_key)
    return True


def close_due() -> int:
    """Close what is due, at most 100 at once. Returns how many."""
    due = User.objects.filter(is_active=True, closes_at__lte=timezone.now()).values_list("pk", flat=True)
    return sum(_close_one(pk) for pk in due[:100])


@transaction.atomic
def _close_one(user_id: UUID) -> bool:
    user = User.objects.select_for_update().get(pk=user_id)
    if not user.is_active or user.closes_at is None or user.closes_at > timezone.now():
        return False
    _close(user, by=None)
    return True


@transaction.atomic
def close(user: User, *, by: User) -> None:
    """Staff closes an account: of one of theirs who leaves, of a helper who died. Raises Refused."""
    _check(by, user)
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.is_active:
        _close(user, by=by)


@transaction.atomic
def record_death(patient: Patient, on: date, *, by: User) -> None:
    """All that a patient gave ends, with their account; nobody writes to them any more. Raises Refused."""
    _check(by, patient.user)
    if not patient.birth_date <= on <= timezone.localdate():
        raise Refused("death.date", "A death is on a day between the birth and today.")
    lock(patient.pk)
    patient = Patient.objects.get(pk=patient.pk)
    if patient.died_on or patient.merged_into_id:
        raise Refused("death.recorded", "This was recorded, or the patient was merged into another.")
    patient.died_on = on
    patient.save(update_fields=["died_on"])
    identities.log(EventType.PATIENT_DIE, patient, f"Patient/{patient.pk}", by=by)
    if patient.user:
        _close(patient.user, by=by, died=True)
    else:
        _end_of_patient(patient, by=by, died=True)


def _check(by: User, whom: User | None) -> None:
    if not identities.may_decide(by) or by == whom:
        raise Refused("role.not-allowed", "Only privacy staff and administrators do this, for others.")


def _close(user: User, *, by: User | None, died: bool = False) -> None:
    """In this order: who has let go of the record is told of nothing that ends with it."""
    if not died:
        _tell(user, "account_closed")
    if patient := Patient.objects.filter(user=user).first():
        _end_of_patient(patient, by=by, died=died)
    for relation in user.helps.filter(status__in=LIVING):
        helping.end(relation, Why.HELPER_LEFT, by=None, role=Role.SYSTEM)
    endings.close(user, by=by)
    for way in (EmailAddress, Authenticator, SocialAccount):
        way.objects.filter(user=user).delete()
    user.devices.all().delete()
    user.set_unusable_password()
    user.email, user.closes_at = f"closed-{user.pk}@chartkey.invalid", None  # the address is free again
    user.save(update_fields=["email", "password", "closes_at"])


def _end_of_patient(patient: Patient, *, by: User | None, died: bool) -> None:
    owner, patient.user = patient.user, None
    patient.save(update_fields=["user"])
    lock(patient.pk)
    role = Role.PATIENT if by is None else Role.COMPLIANCE
    actor = by or owner
    assert actor is not None
    for relation in patient.helpers.filter(status__in=LIVING):
        _end_help(relation, died)
    for invitation in patient.invitations.filter(taken_at=None, cancelled_at=None):
        relations.cancel(invitation, by=actor)
    ended = (Status.INACTIVE, Status.REJECTED)
    for consent in patient.consents.exclude(status__in=ended).exclude(kind__in=OPERATIONAL):
        if consent.helper is None:
            commands.revoke(consent, by=actor, channel=CHANNEL, role=role)
    for end in on_leave.values():
        end(patient)


def _end_help(relation: "RelatedPerson", died: bool) -> None:
    """Death ends all help. An account that closes ends what the patient chose; what the law gave stays."""
    if died or helper_rights.may_patient_change(relation, timezone.now()):
        why = Why.PATIENT_DIED if died else Why.PATIENT_STOPPED
        helping.end(relation, why, by=None, role=Role.SYSTEM)


def _tell(user: User, kind: str) -> None:
    notices.enqueue(kind, recipient=f"User/{user.pk}", email=user.email, language=user.language, context={})
