"""Sign-ins and sign-outs into the log.

The one place where a signal writes an audit row: the sessions are allauth's and
Django's, and they have no other door. A row that cannot be written fails the request, and with
it the sign-in.
"""

from typing import Any

from allauth.account.signals import user_logged_in
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.dispatch import receiver

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry, record


def _patient_of(user: User) -> dict[str, str]:
    """Whose record the event belongs to: people see their own sign-ins in their activity."""
    patient = getattr(user, "patient", None)
    return {"patient": f"Patient/{patient.id}"} if patient else {}


def _as_whom(user: User) -> dict[str, str]:
    patient = _patient_of(user)
    return patient | {"role": Role.PATIENT} if patient else {}


@receiver(user_logged_in)
def record_sign_in(user: User, **kwargs: Any) -> None:
    record(
        Entry(
            type=EventType.SESSION_START,
            outcome=Outcome.PERMIT,
            actor=f"User/{user.id}",
            **_as_whom(user),
        )
    )


@receiver(user_logged_out)
def record_sign_out(user: User | None, **kwargs: Any) -> None:
    if user is None:  # the session had already ended
        return
    record(
        Entry(
            type=EventType.SESSION_END,
            outcome=Outcome.DONE,
            actor=f"User/{user.id}",
            **_as_whom(user),
        )
    )


@receiver(user_login_failed)
def record_failed_sign_in(credentials: dict[str, Any], **kwargs: Any) -> None:
    """Name the account that was tried if there is one. An address never goes into the log."""
    address = str(credentials.get("email") or "").lower()
    user = User.objects.select_related("patient").filter(email=address).first()
    record(
        Entry(
            type=EventType.SESSION_FAIL,
            outcome=Outcome.FAILED,
            actor=ANONYMOUS,
            target=f"User/{user.id}" if user else "",
            **(_patient_of(user) if user else {}),
        )
    )
