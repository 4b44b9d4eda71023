"""How a relationship between a patient and a helper begins, changes and ends.

Each function is called in a transaction that holds the patient's lock (`consent.versions.lock`), adds a row
to the history and one to the log. What the helper may see is a consent: `consent.helping` changes both.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from accounts import attempts
from accounts.models import HelperInvitation, Patient, RelatedPerson, RelatedPersonChange
from accounts.relation_states import LIVING, STARTS, TRANSITIONS, S, Why
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

if TYPE_CHECKING:
    from accounts.models import User

OPEN_FOR = timedelta(hours=48)  # between an invitation and its code being entered
MOST_ATTEMPTS, ATTEMPTS_WITHIN = 5, timedelta(minutes=15)  # wrong codes of one person
MOST_INVITATIONS = 5  # of one patient, open at once
CODE_CHARACTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"  # no vowels, so no words; nothing that looks like another
CODE_LENGTH = 10  # 28**10: 48 bits, for 48 hours, at 5 tries
EVENTS = {
    Why.REQUESTED: EventType.HELPER_ASK,
    Why.CODE_TAKEN: EventType.HELPER_CONFIRM,
    Why.MORE_EVIDENCE: EventType.HELPER_ASK,
    Why.EVIDENCE_SEEN: EventType.HELPER_CONFIRM,
    Why.EVIDENCE_REFUSED: EventType.HELPER_DENY,
    Why.PATIENT_NARROWED: EventType.HELPER_NARROW,
    Why.TEEN_AGE: EventType.HELPER_NARROW,
    Why.TEEN_ASSENT: EventType.HELPER_WIDEN,
    Why.PATIENT_WIDENED: EventType.HELPER_WIDEN,
    Why.RENEWED: EventType.HELPER_RENEW,
    Why.TIME_OVER: EventType.HELPER_EXPIRE,
    Why.NOT_ANSWERED: EventType.HELPER_EXPIRE,
}  # every other reason ends it


class Refused(ValueError):
    """What cannot be. `code` stands in the log; pages have words for each (`portal.helper_words`)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def start(
    patient: Patient,
    user: "User",
    why: Why,
    *,
    relationship: str,
    basis: str,
    level: str,
    until: datetime,
    review_at: datetime,
    may_share: bool = False,
    may_write: bool = False,
    evidence: Collection[str] = (),
    by: "User",
    role: str,
) -> RelatedPerson:
    """A new relationship. Raises Refused where there is a living one."""
    if patient.helpers.filter(user=user, status__in=LIVING).exists():
        raise Refused("helper.duplicate")
    relation = RelatedPerson.objects.create(
        patient=patient,
        user=user,
        relationship=relationship,
        basis=basis,
        level=level,
        may_share=may_share,
        may_write=may_write,
        evidence=sorted(evidence),
        status=STARTS[why],
        reason=why,
        version=1,
        period_end=until,
        review_at=review_at,
    )
    _written(relation, why, by=by, role=role)
    return relation


def carry_over(relation: RelatedPerson, patient: Patient, *, by: "User") -> RelatedPerson:
    """The same relationship to the patient whose record was kept in a merge. The caller ends the old one."""
    copied = (
        *("user", "relationship", "basis", "level", "may_share", "may_write", "evidence", "status", "reason"),
        *("period_start", "period_end", "review_at"),
    )
    values = {name: getattr(relation, name) for name in copied}
    kept = RelatedPerson.objects.create(patient=patient, version=1, **values)
    relation.papers.update(relation=kept)
    _written(kept, Why.MERGED, by=by, role=Role.COMPLIANCE)
    return kept


def become(
    relation: RelatedPerson,
    why: Why,
    *,
    by: "User | None",
    role: str,
    seen: int | None = None,
    note: str = "",
    **changed: object,
) -> RelatedPerson:
    """The next step, for a reason. `seen`: the version that the page showed.

    Raises Refused where the table has no such step from here, or somebody was faster.
    """
    relation = RelatedPerson.objects.select_for_update().select_related("patient").get(pk=relation.pk)
    following = TRANSITIONS[S(relation.status)]
    if seen is not None and seen != relation.version:
        raise Refused("helper.changed")
    if why not in following:
        raise Refused("helper.over" if not following else "helper.state")
    for name, value in changed.items():
        setattr(relation, name, value)
    relation.status, relation.reason, relation.version = following[why], why, relation.version + 1
    if relation.status not in LIVING and (
        relation.period_end is None or relation.period_end > _now(relation)
    ):
        relation.period_end = _now(relation)
    relation.save()
    _written(relation, why, by=by, role=role, note=note)
    return relation


def _now(relation: RelatedPerson) -> datetime:
    """Never before it began, whatever two clocks say."""
    return max(timezone.now(), relation.period_start + timedelta(microseconds=1))


def _written(relation: RelatedPerson, why: Why, *, by: "User | None", role: str, note: str = "") -> None:
    RelatedPersonChange.objects.create(
        relation=relation,
        number=relation.version,
        status=relation.status,
        reason=why,
        level=relation.level,
        period_end=relation.period_end,
        made_by=by,
        note=note,
    )
    living_on = why == Why.MERGED and relation.status in LIVING
    log(
        EventType.HELPER_CONFIRM if living_on else EVENTS.get(why, EventType.HELPER_END),
        relation.patient,
        by=by,
        role=role,
        target=f"RelatedPerson/{relation.pk}",
        helper=relation.user_id,
        why=str(why),
        level=relation.level,
    )


def log(
    event: EventType,
    patient: Patient,
    *,
    by: "User | None",
    role: str,
    target: str,
    refused: str = "",
    helper: object = None,
    **detail: str,
) -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.DENY if refused else Outcome.DONE,
            actor=f"User/{by.pk}" if by else "System/accounts",
            role=role if by else Role.SYSTEM,
            patient=f"Patient/{patient.pk}",
            target=target,
            reasons=(refused,) if refused else (),
            detail={name: value for name, value in detail.items() if value}
            | ({"about": f"User/{helper}"} if helper else {}),
        )
    )


# Invitations


def new_code() -> str:
    """A one-time code, in two groups: "BCDFG-HJKLM"."""
    text = "".join(secrets.choice(CODE_CHARACTERS) for _ in range(CODE_LENGTH))
    return f"{text[:5]}-{text[5:]}"


def digest_of(code: str) -> str:
    """Kept in place of the code. Keyed, so that a copy of the table does not let codes be tried."""
    plain = "".join(code.upper().split()).replace("-", "")
    return hmac.digest(settings.FIELD_KEY, b"helper code" + plain.encode(), hashlib.sha256).hex()


def invite(
    patient: Patient,
    *,
    relationship: str,
    level: str,
    categories: Collection[str],
    may_share: bool,
    may_write: bool,
    until: datetime,
    by: "User",
    text_shown: str,
    language: str,
) -> tuple[HelperInvitation, str]:
    """An invitation and its code, which is told now and never again. Raises Refused."""
    now = timezone.now()
    waiting = patient.invitations.filter(taken_at=None, cancelled_at=None, expires_at__gt=now)
    if waiting.count() >= MOST_INVITATIONS:
        raise Refused("helper.many")
    code = new_code()
    invitation = HelperInvitation.objects.create(
        patient=patient,
        made_by=by,
        relationship=relationship,
        level=level,
        categories=sorted(categories),
        may_share=may_share,
        may_write=may_write,
        until=until,
        text_shown=text_shown,
        text_language=language,
        digest=digest_of(code),
        expires_at=now + OPEN_FOR,
    )
    target = f"HelperInvitation/{invitation.pk}"
    log(EventType.HELPER_INVITE, patient, by=by, role=Role.PATIENT, target=target, level=level)
    return invitation, code


def cancel(invitation: HelperInvitation, *, by: "User") -> None:
    """Take it back. Twice changes nothing; what was taken is ended by itself."""
    open_one = HelperInvitation.objects.filter(pk=invitation.pk, taken_at=None, cancelled_at=None)
    if open_one.update(cancelled_at=timezone.now()):
        target = f"HelperInvitation/{invitation.pk}"
        log(
            EventType.HELPER_END, invitation.patient, by=by, role=Role.PATIENT, target=target, why="cancelled"
        )


def find_invitation(code: str, *, by: "User") -> HelperInvitation:
    """The open invitation with this code. Every wrong code counts. Raises Refused, always in the same way."""
    attempt = attempts.spend(by, most=MOST_ATTEMPTS, within=ATTEMPTS_WITHIN)
    if attempt is None:
        raise Refused("helper.attempts")
    found = (
        HelperInvitation.objects.filter(
            digest=digest_of(code), taken_at=None, cancelled_at=None, expires_at__gt=timezone.now()
        )
        .select_related("patient")
        .first()
    )
    if found is None:
        raise Refused("helper.code")
    attempt.delete()
    return found
