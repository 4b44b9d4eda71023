"""How long a session lasts, what ends it, and what of it the person can see and end.

The times are kept in the session itself and looked at before each view, so they hold without a script.
A form that comes after the end is kept under encryption, and sent once its owner has signed in and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import get_script_prefix, reverse
from django.utils import timezone

from accounts import devices, endings, factors, kept
from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

STARTED, SEEN, KIND, LATE = "session.started", "session.seen", "session.kind", "session.late"
EVERY = 60  # seconds between two notes that a session is used: no write for each request
LATE_FOR = 3600  # seconds that a form which came too late is kept
WARN_BEFORE = 120  # seconds
CLOCKS_DIFFER = 60  # seconds by which those of our servers may; a session from further ahead is over
MOST_SWEPT = 20_000  # sessions of one run


class Why(StrEnum):
    """Why a session ended, in the log: never rename one. Others stand beside what ends it."""

    SIGNED_OUT = "signed-out"
    IDLE = "idle"
    TOO_LONG = "too-long"
    ELSEWHERE = "ended-elsewhere"  # by the person, from another device or for all of them


class Kind(StrEnum):
    OWN = "own"
    SHARED = "shared"  # "This is a shared computer"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Limits:
    idle: int  # seconds without a request
    absolute: int  # seconds since the sign-in


LIMITS: Mapping[Kind, Limits] = {
    Kind.OWN: Limits(30 * 60, 12 * 3600),
    Kind.SHARED: Limits(5 * 60, 3600),
    Kind.STAFF: Limits(15 * 60, 12 * 3600),
}


def start(request: HttpRequest, user: User, *, shared: bool) -> None:
    is_staff = user.is_staff or user.staff_roles.exists()
    kind = Kind.SHARED if shared else Kind.STAFF if is_staff else Kind.OWN
    now = factors.now()
    request.session.update({STARTED: now, SEEN: now, KIND: kind.value})
    if request.session.get(LATE, {}).get("user") != str(user.pk):
        request.session.pop(LATE, None)


def is_shared(request: HttpRequest) -> bool:
    return bool(request.session.get(KIND) == Kind.SHARED)


def left(request: HttpRequest) -> tuple[float, bool]:
    """Seconds until the session ends if nothing more is asked for, and whether asking makes it longer."""
    now, limits = factors.now(), LIMITS[Kind(request.session.get(KIND, Kind.OWN))]
    started, seen = request.session.get(STARTED, now), request.session.get(SEEN, now)
    if max(started, seen) > now + CLOCKS_DIFFER:  # a clock was wrong: nobody knows how old it is
        return 0, False
    idle, absolute = limits.idle - (now - seen), limits.absolute - (now - started)
    return min(idle, absolute), idle < absolute


def is_too_long(told: Mapping[str, Any]) -> bool:
    """Whether a session that says this of itself has lasted as long as any of its kind may."""
    longest = LIMITS[Kind(told.get(KIND, Kind.OWN))].absolute
    return bool(factors.now() - told.get(STARTED, factors.now()) >= longest)


def touch(request: HttpRequest) -> None:
    """Note that the session is used, at most once in `EVERY` seconds."""
    now = factors.now()
    if now - request.session.get(SEEN, 0) < EVERY:
        return
    request.session.setdefault(STARTED, now)
    request.session[SEEN] = now
    UserSession.objects.filter(session_key=request.session.session_key).update(last_seen_at=timezone.now())


@transaction.atomic
def renew(request: HttpRequest) -> None:
    """Give the session another key, so that who learnt the old one has nothing: at each proof of who it is,
    and when it begins or ceases to act for somebody (OWASP ASVS 5.0, 7.2.4). What rests on it goes along.
    """
    old = request.session.session_key
    new = request.session._get_new_session_key()  # type: ignore[attr-defined]  # as cycle_key() does
    if not old or not Session.objects.filter(session_key=old).update(session_key=new):
        return  # there is none yet, or it was ended this moment
    UserSession.objects.filter(session_key=old).update(session_key=new)
    for follow in endings.on_session_renew.values():
        follow(old, new)
    request.session._session_key = new
    request.session.modified = True


class Watch:
    """Middleware: ends a session whose time is over. Its place is after the CSRF check, so that no form is
    kept that did not pass it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        devices.leave(request, response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        if not request.user.is_authenticated or getattr(view, "watches_session", False):
            return None
        seconds, was_idle = left(request)
        if seconds > 0:
            touch(request)
            return None
        return _end(request, Why.IDLE if was_idle else Why.TOO_LONG)


def _end(request: HttpRequest, why: Why) -> HttpResponseBase | None:
    """Sign out; a form of the portal's own pages is kept, and no password that another page asks for."""
    match = request.resolver_match
    is_page = match is not None and match.namespace == "portal" and match.url_name != "step-up"
    form = kept.keep(request) if is_page and not is_shared(request) else ""
    late = {"user": str(request.user.pk), "form": form, "since": factors.now()}
    request.session_end = why  # type: ignore[attr-defined]  # accounts.signals reads it
    logout(request)
    if not is_page:
        return None  # the view sees that nobody is signed in
    if form:
        request.session[LATE] = late
        # Without what stands before the addresses of somebody else's record: nobody acts after the sign-in.
        return redirect_to_login("/" + reverse("portal:late").removeprefix(get_script_prefix()))
    return redirect_to_login(request.get_full_path()) if request.method in ("GET", "HEAD") else None


def late_form(request: HttpRequest, *, take: bool = False) -> str:
    """The form of this person that came after the end of their session; `take` it, and it is gone."""
    found = request.session.get(LATE)
    if take:
        request.session.pop(LATE, None)
    if not found or found["user"] != str(request.user.pk) or factors.now() - found["since"] > LATE_FOR:
        return ""
    return str(found["form"])


# What a person sees of their sessions, and ends


def of(user: User) -> list[UserSession]:
    """The living ones, the newest first."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda s: s.last_seen_at, reverse=True)


@transaction.atomic
def end(request: HttpRequest, user: User, *, key: str | None = None, but: str = "") -> int:
    """End one session (`key`) of a person, or all `but` one. Returns how many.

    A row of a session is deleted by itself, so that what rests on it is told (`accounts.signals`).
    """
    mine = UserSession.objects.filter(user=user).exclude(session_key=but)
    if key is not None:
        mine = mine.filter(session_key=key)
    keys = list(mine.values_list("session_key", flat=True))
    for session in Session.objects.filter(session_key__in=keys):
        session.delete()
        _log_end(user)
    mine.delete()
    return len(keys)


def sweep() -> int:
    """End sessions that ran out, and forget their devices. Returns how many sessions that were.

    A row is deleted by itself and in its own transaction, so that what rests on it is told, and few wait.
    """
    over = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    keys = list(over.values_list("session_key", flat=True)[:MOST_SWEPT])
    for key in keys:
        with transaction.atomic():
            for session in over.select_for_update(skip_locked=True).filter(session_key=key):
                session.delete()
    gone = UserSession.objects.exclude(session_key__in=Session.objects.values("session_key"))
    gone.filter(pk__in=list(gone.values_list("pk", flat=True)[:MOST_SWEPT])).delete()
    return len(keys)


def _log_end(user: User) -> None:
    patient = getattr(user, "patient", None)
    record(
        Entry(
            type=EventType.SESSION_END,
            outcome=Outcome.DONE,
            actor=f"User/{user.pk}",
            role=Role.PATIENT if patient else "",
            patient=f"Patient/{patient.pk}" if patient else "",
            detail={"why": Why.ELSEWHERE.value},
        )
    )


def shared_by(request: HttpRequest) -> bool:
    """What the person said on the sign-in page; kept until the sign-in is whole."""
    return bool(cast(dict[str, Any], request.session).pop("session.shared", False))
