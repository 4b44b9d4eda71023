"""Sign-ins and sign-outs into the log.

The one place where a signal writes an audit row: the sessions are allauth's and
Django's, and they have no other door. A row that cannot be written fails the request, and with
it the sign-in.
"""

from typing import Any

from allauth.account.signals import user_logged_in
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry, record


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


@receiver(user_logged_in)
def record_sign_in(user: User, **kwargs: Any) -> None:
    _record(EventType.SESSION_START, Outcome.PERMIT, account=user, actor=f"User/{user.id}")


@receiver(user_logged_out)
def record_sign_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Why stands in `request.session_end` where it was not the person who pressed the button."""
    if user is not None:  # else the session had already ended
        why = getattr(request, "session_end", "signed-out")
        _record(EventType.SESSION_END, Outcome.DONE, account=user, actor=f"User/{user.id}", why=why)


@receiver(user_login_failed)
def record_failed_sign_in(credentials: dict[str, Any], **kwargs: Any) -> None:
    """Name the account that was tried if there is one. An address never goes into the log."""
    address = str(credentials.get("email") or "").lower()
    tried = User.objects.select_related("patient").filter(email=address).first()
    target = f"User/{tried.id}" if tried else ""
    _record(EventType.SESSION_FAIL, Outcome.FAILED, account=tried, actor=ANONYMOUS, target=target)
