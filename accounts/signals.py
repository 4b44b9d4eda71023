"""Sign-ins and sign-outs into the log.

The one place where a signal writes an audit row: the sessions are allauth's and
Django's, and they have no other door. A row that cannot be written fails the request, and with
it the sign-in.
"""

from collections.abc import Callable
from typing import Any

from allauth.account.signals import (
    email_changed,
    password_changed,
    password_reset,
    password_set,
    user_logged_in,
)
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_logged_in as session_begins
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import devices, endings, factors, sessions, stepup
from accounts.endings import Change
from accounts.factors import Factor
from accounts.models import User
from accounts.sessions import Why
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry, record
from notices import commands as notices


def _record(
    event: EventType,
    outcome: Outcome,
    *,
    account: User | None,
    actor: str,
    target: str = "",
    **detail: str,
) -> None:
    """People see what happens to their account in their own activity, so the row names their record."""
    patient = getattr(account, "patient", None)
    is_own_act = patient is not None and actor != ANONYMOUS
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=actor,
            role=Role.PATIENT if is_own_act else "",
            patient=f"Patient/{patient.id}" if patient else "",
            target=target,
            detail=detail,
        )
    )


@receiver(session_begins)
def start_session(request: HttpRequest, user: User, **kwargs: Any) -> None:
    sessions.start(request, user, shared=sessions.shared_by(request))


@receiver(user_logged_in)
def record_sign_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    by = {"provider": found} if (found := factors.provider_of(request, user)) else {}
    _record(EventType.SESSION_START, Outcome.PERMIT, account=user, actor=f"User/{user.id}", **by)
    devices.seen(request, user, keep=not sessions.is_shared(request))


@receiver(user_logged_out)
def record_sign_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Why stands in `request.session_end` where it was not the person who pressed the button."""
    if user is not None:  # else the session had already ended
        why = str(getattr(request, "session_end", Why.SIGNED_OUT))
        _record(EventType.SESSION_END, Outcome.DONE, account=user, actor=f"User/{user.id}", why=why)


@receiver(user_login_failed)
def record_failed_sign_in(credentials: dict[str, Any], **kwargs: Any) -> None:
    """Name the account that was tried if there is one. An address never goes into the log."""
    address = str(credentials.get("email") or "").lower()
    tried = User.objects.select_related("patient").filter(email=address).first()
    target = f"User/{tried.id}" if tried else ""
    _record(EventType.SESSION_FAIL, Outcome.FAILED, account=tried, actor=ANONYMOUS, target=target)


# What follows from a change to the way a person signs in: `accounts.endings`


@receiver(post_delete, sender=Session)
def end_what_rests_on_it(instance: Session, **kwargs: Any) -> None:
    """Signed out here or elsewhere, ended by a page, run out and swept: the row goes, by whatever way."""
    endings.session_ended(instance.session_key)


def _changed(change: Change) -> Callable[..., None]:
    def receive(request: HttpRequest, user: User, **kwargs: Any) -> None:
        endings.changed(user, change, session_key=request.session.session_key)
        if change is not Change.EMAIL:  # accounts.addresses tells both addresses
            _tell(user)

    return receive


def _tell(user: User) -> None:
    notices.enqueue(
        "sign_in_changed",
        recipient=f"User/{user.pk}",
        email=user.email,
        language=user.language,
        context={},
    )


_when_changed = {
    Change.PASSWORD: (password_changed, password_set),
    Change.RESET: (password_reset,),
    Change.EMAIL: (email_changed,),
    Change.FACTOR_REMOVED: (authenticator_removed, authenticator_reset),
}
for _change, _signals in _when_changed.items():
    for _signal in _signals:
        _signal.connect(_changed(_change), weak=False)


@receiver(authenticator_added)
def end_sessions_without_it(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Backup codes come with another factor, or after a look at them; they are none of their own."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        endings.changed(user, Change.FACTOR_ADDED, session_key=request.session.session_key)
        stepup.holds_with(request, Factor(authenticator.type))
        _tell(user)
