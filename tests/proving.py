"""People who prove who they are, and sessions that have grown old."""

import time

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY as RECORDS
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client

from accounts.models import User
from accounts.sessions import SEEN, STARTED
from accounts.stepup import PASSED

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of a test's app for codes


def minutes_pass(client: Client, minutes: float = 10) -> None:
    """All that this session's person proved is as much older."""
    session = client.session
    for record in session[RECORDS]:
        record["at"] -= minutes * 60
    if PASSED in session:
        session[PASSED] = {a: [who, f, at - minutes * 60] for a, (who, f, at) in session[PASSED].items()}
    session[RECORDS] = list(session[RECORDS])
    session.save()


def nothing_happens(client: Client, minutes: float) -> None:
    """So long ago was the last request; the sign-in stays as it is."""
    session = client.session
    session[SEEN] -= minutes * 60
    session.save()


def signed_in_ago(client: Client, minutes: float) -> None:
    session = client.session
    session[STARTED] -= minutes * 60
    session.save()


def has_codes(user: User) -> None:
    """An app for codes, as allauth keeps it."""
    TOTP.activate(user, SECRET)


def has_backup_codes(user: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    return codes


def code_now() -> str:
    """What the app shows; cleared of the mark that it was used, since tests are faster than 30 seconds."""
    cache.clear()
    return code_of(SECRET)


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def has_passkey(user: User) -> Authenticator:
    """A row that counts as one; nothing can be proved by it. Browser tests make real ones."""
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Phone"})


def now() -> float:
    return time.time()
