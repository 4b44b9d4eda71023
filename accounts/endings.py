"""What ends when the way a person signs in changes: one table, and one function that does it.

Sessions end here. Whatever else rests on a sign-in is kept by rooms above, which name, once, the
function that ends it: `on_session_end` for what rests on one session (and `on_session_renew`, where it goes
on under another key), `on_person_end` for all that a person gave. The table stands in docs/smart.md too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

# Told of the key of a session whose row is gone, whoever deleted it and why.
on_session_end: dict[str, Callable[[str], int]] = {}
# Told of the old and the new key of a session that goes on under another one.
on_session_renew: dict[str, Callable[[str, str], object]] = {}
# Told of a person whose sign-ins are not to be trusted any more. Both say how many things they ended.
on_person_end: dict[str, Callable[[User], int]] = {}


class Change(StrEnum):
    """Values are kept in the log: never rename one."""

    PASSWORD = "password-changed"  # by somebody who knew the old one
    EMAIL = "email-changed"
    FACTOR_ADDED = "factor-added"
    FACTOR_REMOVED = "factor-removed"
    PROVIDER_LINKED = "provider-linked"  # an identity provider's account signs in to this one
    PROVIDER_UNLINKED = "provider-unlinked"
    RESET = "password-reset"  # by somebody who could read the person's mail
    COMPROMISE = "compromised"  # by staff, who were told that somebody else is in the account
    CLOSED = "account-closed"
    CLOSING = "closing-asked"  # the owner said so, and has some days to undo it
    STAYING = "closing-undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    this_session: bool  # whether the session in which it was done ends as well
    person: bool  # whether all ends that the person ever let in, until they sign in there anew


PROVED = Rule(this_session=False, person=False)
UNTRUSTED = Rule(this_session=True, person=True)
RULES: Mapping[Change, Rule] = MappingProxyType(
    {
        Change.PASSWORD: PROVED,
        Change.EMAIL: PROVED,
        Change.FACTOR_ADDED: PROVED,
        Change.FACTOR_REMOVED: PROVED,
        Change.PROVIDER_LINKED: PROVED,
        Change.PROVIDER_UNLINKED: PROVED,
        Change.CLOSING: PROVED,
        Change.STAYING: PROVED,
        Change.RESET: UNTRUSTED,
        Change.COMPROMISE: UNTRUSTED,
        Change.CLOSED: UNTRUSTED,
    }
)


@transaction.atomic
def changed(user: User, change: Change, *, session_key: str | None = None, by: User | None = None) -> None:
    """End what `RULES` says, and write it into the log. `session_key` is the session it was done in,
    `by` the member of staff who did it for them."""
    rule = RULES[change]
    sessions = end_sessions(user, but="" if rule.this_session else session_key or "")
    ended = sum(end(user) for end in on_person_end.values()) if rule.person else 0
    patient = getattr(user, "patient", None)
    record(
        Entry(
            type=EventType.ACCOUNT_CHANGE,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk if by else user.pk}",
            role=Role.COMPLIANCE if by else Role.PATIENT if patient else "",
            patient=f"Patient/{patient.pk}" if patient else "",
            target=f"User/{user.pk}",
            detail={"change": change.value, "sessions": sessions, "ended": ended},
        )
    )


@transaction.atomic
def close(user: User, *, by: User | None) -> None:
    """Close an account: nobody signs in with it, and all that it let in has ended. Twice changes nothing.

    `by` is the member of staff who did it; None where its owner had asked for it. What the person shared
    and whom they help ends in `consent.leaving`.
    """
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        user.is_active = False
        changed(user, Change.CLOSED, by=by)


def end_sessions(user: User, *, but: str = "") -> int:
    """Sign a person out everywhere, but for the session with this key. Returns in how many places."""
    mine = UserSession.objects.filter(user=user).exclude(session_key=but)
    keys = list(mine.values_list("session_key", flat=True))
    mine.delete()
    ended = 0
    for session in Session.objects.filter(session_key__in=keys):
        session.delete()
        ended += 1
    return ended


def session_ended(session_key: str) -> None:
    for end in on_session_end.values():
        end(session_key)
