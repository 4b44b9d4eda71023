"""An e-mail address is somebody's once a code that was sent there comes back from the same session."""

import hmac
import secrets

from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import pgettext

from accounts import factors
from accounts.models import User
from notices import commands as notices

KEY = "address.waiting"
LASTS = 15 * 60  # seconds
MOST_TRIES = 5


def is_taken(email: str, *, but: User | None = None) -> bool:
    """Each account has an address of its own: who shares one could read, and reset, the other's."""
    others = User.objects.exclude(pk=but.pk) if but else User.objects.all()
    return others.filter(email__iexact=email.strip()).exists()


def send_code(request: HttpRequest, email: str) -> None:
    code = f"{secrets.randbelow(10**8):08}"
    digest = _digest(code, email)
    request.session[KEY] = {"email": email, "digest": digest, "since": factors.now(), "tries": 0}
    body = pgettext(
        "address.mail.body",
        "Your code is %(code)s. It works for 15 minutes. If you did not ask for it, do nothing.",
    ) % {"code": code}
    from_whom = pgettext(
        "notice.signature",
        "%(clinic)s, %(phone)s\nThis message has no health facts. You must sign in to see more.",
    ) % {"clinic": settings.CLINIC_NAME, "phone": settings.CLINIC_PHONE}
    subject = pgettext("address.mail.subject", "Your code")
    EmailMessage(subject, f"{body}\n\n{from_whom}", to=[email]).send()


def check_code(request: HttpRequest, code: str) -> str:
    """The address that the code was sent to; empty where it is wrong, too old, or was tried too often."""
    waits = request.session.get(KEY)
    if not waits or factors.now() - waits["since"] > LASTS or waits["tries"] >= MOST_TRIES:
        request.session.pop(KEY, None)
        return ""
    request.session[KEY] = waits | {"tries": waits["tries"] + 1}
    if not hmac.compare_digest(waits["digest"], _digest("".join(code.split()), waits["email"])):
        return ""
    del request.session[KEY]
    return str(waits["email"])


def waits_for(request: HttpRequest) -> str:
    """The address to which a code is under way."""
    return str(request.session.get(KEY, {}).get("email", ""))


@transaction.atomic
def change(request: HttpRequest, user: User, email: str) -> None:
    """Give the account another address, and tell the old one. Raises IntegrityError if it is taken."""
    old, user.email = user.email, email.strip().lower()
    user.save(update_fields=["email"])
    EmailAddress.objects.filter(user=user).delete()
    row = EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    for address in (old, user.email):
        notices.enqueue(
            "email_changed", recipient=f"User/{user.pk}", email=address, language=user.language, context={}
        )
    # What ends with it: `accounts.endings`.
    email_changed.send(sender=User, request=request, user=user, from_email_address=None, to_email_address=row)


def _digest(code: str, email: str) -> str:
    return hmac.digest(settings.FIELD_KEY, f"address {email} {code}".encode(), "sha256").hex()
