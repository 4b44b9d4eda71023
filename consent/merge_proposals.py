"""Two open accounts of one person: staff proposes, each account says yes, and after some days they are one.

Nobody's sign-in is closed, and nobody gets another's record, by a mistake of one side: both accounts have to
agree. A second member of staff stands in for an account that nobody has signed in to for a long time. After
the last yes there are `WAITS` in which either side, or staff, stops it. Then the account that was not kept
closes (`consent.leaving`) and the records become one (`consent.merging`).
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import identities
from accounts.identities import Refused
from accounts.models import Patient
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent import leaving, merging
from consent.merge_models import OPEN, TRANSITIONS, MergeProposal, Step
from consent.merging import change_identities
from notices import commands as notices

if TYPE_CHECKING:
    from accounts.models import User

ANSWERED_WITHIN = timedelta(days=30)
WAITS = timedelta(days=3)
DEAD_AFTER = timedelta(days=90)  # without a sign-in
Status = MergeProposal.Status


def propose(kept: Patient, merged: Patient, *, evidence: str, reason: str, by: "User") -> MergeProposal:
    """Both are told and asked. Raises Refused, which is logged."""
    try:
        return _propose(kept, merged, evidence.strip(), reason.strip(), by)
    except Refused as error:
        for one, other in ((kept, merged), (merged, kept)):
            _log(EventType.PATIENT_PROPOSE, one, f"Patient/{other.pk}", by, refused=error.code)
        raise


@transaction.atomic
def _propose(kept: Patient, merged: Patient, evidence: str, reason: str, by: "User") -> MergeProposal:
    change_identities(*{kept.pk, merged.pk})
    kept, merged = _fresh(kept), _fresh(merged)
    merging.check_records(by, kept, merged)
    _check_accounts(kept, merged, by)
    if not evidence or not reason:
        raise Refused("merge.reason", "Say what you have seen, and why.")
    either = Q(kept__in=(kept, merged)) | Q(merged__in=(kept, merged))
    if MergeProposal.objects.filter(either, status__in=OPEN).exists():
        raise Refused("merge.open", "One of the two is asked already.")
    proposal = MergeProposal.objects.create(
        kept=kept, merged=merged, evidence=evidence[:200], reason=reason[:200], proposed_by=by
    )
    for one in (kept, merged):
        _log(EventType.PATIENT_PROPOSE, one, f"MergeProposal/{proposal.pk}", by)
        _tell(one, "accounts_one")
    return proposal


def open_for(patient: Patient) -> MergeProposal | None:
    """What this patient is asked, or has agreed to."""
    of = MergeProposal.objects.filter(Q(kept=patient) | Q(merged=patient), status__in=OPEN)
    return of.select_related("kept__user", "merged__user").first()


def answer(proposal: MergeProposal, *, by: "User", yes: bool) -> MergeProposal:
    """By either account. A no after a yes stops it, until it is made. Raises Refused, which is logged."""
    if by.pk == proposal.kept.user_id:
        step = Step.KEPT_YES
    elif by.pk == proposal.merged.user_id:
        step = Step.OTHER_YES
    else:
        target = f"MergeProposal/{proposal.pk}"
        _log(EventType.PATIENT_ANSWER, proposal.kept, target, by, refused="merge.state")
        raise Refused("merge.state", "This is not yours to answer.")
    return _become(proposal, step if yes else Step.NO, by)


def second(proposal: MergeProposal, *, by: "User") -> MergeProposal:
    """In place of an account that nobody signs in to. Raises Refused, which is logged."""
    return _become(proposal, Step.SECONDED, by)


def withdraw(proposal: MergeProposal, *, by: "User") -> MergeProposal:
    """Raises Refused, which is logged."""
    return _become(proposal, Step.WITHDRAWN, by)


def is_dead(patient: Patient) -> bool:
    """Whether nobody has signed in to this patient's account for DEAD_AFTER."""
    user = patient.user
    last = (user.last_login or user.date_joined) if user else None
    return last is not None and last < timezone.now() - DEAD_AFTER


def make_due() -> int:
    """Make what was agreed on WAITS ago, and end what nobody answered; at most 100 at once."""
    now = timezone.now()
    due = MergeProposal.objects.filter(status=Status.AGREED, due_at__lte=now)[:100]
    late = MergeProposal.objects.filter(
        status__in=(Status.PROPOSED, Status.HALF), proposed_at__lte=now - ANSWERED_WITHIN
    )[:100]
    for proposal in late:
        _become(proposal, Step.LATE, None)
    for proposal in due:
        try:
            _make(proposal)
        except Refused:
            _become(proposal, Step.CANNOT, None)
    return len(due) + len(late)


@transaction.atomic
def _make(proposal: MergeProposal) -> None:
    """Raises Refused, and nothing is changed, where it cannot be any more."""
    change_identities(proposal.kept_id, proposal.merged_id)
    proposal = MergeProposal.objects.select_for_update().get(pk=proposal.pk)
    if proposal.status != Status.AGREED:
        return
    kept, merged, staff = _fresh(proposal.kept), _fresh(proposal.merged), proposal.proposed_by
    _check_accounts(kept, merged, staff)
    owner, merged.user = merged.user, None
    merged.save(update_fields=["user"])
    merging.merge(staff, kept, merged, proposal.reason)
    assert owner is not None
    leaving.close(owner, by=staff)
    _step(proposal, Step.MADE, None)


def _become(proposal: MergeProposal, step: Step, by: "User | None") -> MergeProposal:
    try:
        return _changed(proposal, step, by)
    except Refused as error:
        target = f"MergeProposal/{proposal.pk}"
        _log(EventType.PATIENT_ANSWER, proposal.kept, target, by, refused=error.code, why=str(step))
        raise


@transaction.atomic
def _changed(proposal: MergeProposal, step: Step, by: "User | None") -> MergeProposal:
    found = MergeProposal.objects.select_for_update(of=("self",)).select_related("kept__user", "merged__user")
    proposal = found.get(pk=proposal.pk)
    if step not in TRANSITIONS[Status(proposal.status)]:
        raise Refused("merge.state", "This was answered or ended already.")
    if step in (Step.SECONDED, Step.WITHDRAWN):
        _check_staff(proposal, step, by)
    if (step is Step.KEPT_YES and proposal.kept_yes_at) or _other_said_yes(proposal, step):
        raise Refused("merge.state", "You said yes already. The other account has to answer, too.")
    if step is Step.KEPT_YES:
        proposal.kept_yes_at = timezone.now()
    elif step in (Step.OTHER_YES, Step.SECONDED):
        proposal.other_yes_at = timezone.now()
        proposal.seconded_by = by if step is Step.SECONDED else None
    _step(proposal, step, by)
    return proposal


def _other_said_yes(proposal: MergeProposal, step: Step) -> bool:
    return step in (Step.OTHER_YES, Step.SECONDED) and proposal.other_yes_at is not None


def _check_staff(proposal: MergeProposal, step: Step, by: "User | None") -> None:
    own = by is not None and by.pk in (proposal.kept.user_id, proposal.merged.user_id)
    if not identities.may_decide(by) or own:
        raise Refused("role.not-allowed", "Only privacy staff and administrators do this, for others.")
    if step is Step.SECONDED and by == proposal.proposed_by:
        raise Refused("merge.second", "A second person has to look at it.")
    if step is Step.SECONDED and not is_dead(proposal.merged):
        raise Refused("merge.second", "Somebody signs in to that account. They have to answer themselves.")


def _step(proposal: MergeProposal, step: Step, by: "User | None") -> None:
    proposal.status, proposal.why = TRANSITIONS[Status(proposal.status)][step], step
    proposal.due_at = timezone.now() + WAITS if proposal.status == Status.AGREED else None
    proposal.save()
    for patient in (proposal.kept, proposal.merged):
        _log(EventType.PATIENT_ANSWER, patient, f"MergeProposal/{proposal.pk}", by, why=str(step))
    kind = {Status.AGREED: "accounts_one_soon", Status.STOPPED: "accounts_one_over"}.get(proposal.status)
    for patient in (proposal.kept, proposal.merged) if kind else ():
        _tell(patient, str(kind))


def _check_accounts(kept: Patient, merged: Patient, by: "User") -> None:
    for one in (kept, merged):
        if one.user is None or not one.user.is_active or one.user.closes_at or one.died_on:
            raise Refused("merge.accounts", "Both must have an open account. Else merge them, or wait.")
        if one.user_id == by.pk:
            raise Refused("role.not-allowed", "Nobody does this for themself.")


def _fresh(patient: Patient) -> Patient:
    found: Patient = Patient.objects.select_related("user").get(pk=patient.pk)
    return found


def _tell(patient: Patient, kind: str) -> None:
    if user := patient.user:
        notices.enqueue(
            kind, recipient=f"User/{user.pk}", email=user.email, language=user.language, context={}
        )


def _log(
    event: EventType, patient: Patient, target: str, by: "User | None", *, refused: str = "", why: str = ""
) -> None:
    own = by is not None and by.pk == patient.user_id
    record(
        Entry(
            type=event,
            outcome=Outcome.DENY if refused else Outcome.DONE,
            actor=f"User/{by.pk}" if by else "System/consent",
            role=Role.PATIENT if own else Role.COMPLIANCE if identities.may_decide(by) else Role.SYSTEM,
            patient=f"Patient/{patient.pk}",
            target=target,
            reasons=(refused,) if refused else (),
            detail={"why": why} if why else {},
        )
    )
