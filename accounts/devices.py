"""Browsers that are known: a first sign-in in a new one is told to the person, and logged.

A known browser also has its own count of wrong passwords, so that nobody elsewhere can lock a person out.
"""

import hashlib
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from accounts.models import Device, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from notices import commands as notices

COOKIE = "__Host-device" if settings.SECURE else "device"
KEPT = 400 * 24 * 3600  # seconds: the most that browsers keep


def is_known(request: HttpRequest, email: str) -> bool:
    """Whether the owner of this address has signed in here before."""
    digest = _digest(request)
    return bool(digest) and Device.objects.filter(user__email=email.strip().lower(), digest=digest).exists()


def seen(request: HttpRequest, user: User, *, keep: bool) -> None:
    """Note a sign-in. On a shared computer (`keep` is false) nothing is left in the browser."""
    now, digest = timezone.now(), _digest(request)
    if digest and Device.objects.filter(user=user, digest=digest).update(last_seen_at=now):
        return
    is_first = not Device.objects.filter(user=user).exists()
    value = request.COOKIES.get(COOKIE) or secrets.token_urlsafe(32)
    if keep:
        Device.objects.create(user=user, digest=_hash(value))
        request.device_cookie = value  # type: ignore[attr-defined]  # `leave` puts it into the answer
    patient = getattr(user, "patient", None)
    record(
        Entry(
            type=EventType.DEVICE_NEW,
            outcome=Outcome.DONE,
            actor=f"User/{user.pk}",
            role=Role.PATIENT if patient else "",
            patient=f"Patient/{patient.pk}" if patient else "",
            detail={"shared": not keep},
        )
    )
    if not is_first:
        notices.enqueue(
            "new_sign_in",
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={},
        )


def leave(request: HttpRequest, response: HttpResponseBase) -> None:
    if value := getattr(request, "device_cookie", ""):
        response.set_cookie(
            COOKIE, value, max_age=KEPT, secure=settings.SECURE, httponly=True, samesite="Lax"
        )


def _digest(request: HttpRequest) -> str:
    value = request.COOKIES.get(COOKIE, "")
    return _hash(value) if value else ""


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
