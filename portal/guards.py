"""Who may open a page. Each guard puts on the request what its view works with."""

import contextlib
import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django_htmx.middleware import HtmxDetails

from accounts.models import Patient, StaffRole, User
from consent.authority import Requester

View = Callable[..., HttpResponseBase]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_DONE = "portal.not_done"  # of the session: a form came when nobody was signed in


class PatientRequest(HttpRequest):
    """A request of a signed-in person who has a record."""

    user: User
    patient: Patient
    requester: Requester | None
    htmx: HtmxDetails


class StaffRequest(HttpRequest):
    """A request of a signed-in member of staff."""

    user: User


def signed_in(view: View) -> View:
    """Sign in first. A form that comes too late is not kept: sign-in leads to the page that it was on,
    and that page says that nothing was done."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request)
        if request.session.pop(NOT_DONE, False):
            text = pgettext(
                "guard.not_done", "You were signed out. Nothing was changed. Press the button again."
            )
            messages.warning(request, text)
        return view(request, *args, **kwargs)

    return guarded


def _sign_in(request: HttpRequest) -> HttpResponse:
    if request.method in SAFE:
        return redirect_to_login(request.get_full_path())
    request.session[NOT_DONE] = True
    return redirect_to_login(page_with_form(request.path))


def page_with_form(path: str) -> str:
    """The page at this path or at the next one above: what only takes a form lies below its page."""
    while path != "/":
        with contextlib.suppress(Resolver404):
            if hasattr(resolve(path).func, "contract"):
                return path
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def patient_required(view: View) -> View:
    """Sign in first; then `request.patient` is the person's own record, and times are in their time zone.

    A signed-in person without a record of their own gets a page that says so (403).
    """

    @signed_in
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        user = cast(User, request.user)
        patient = Patient.objects.filter(user=user).first()
        if patient is None:
            return _no_record(request, user)
        user.patient = patient
        own = cast(PatientRequest, request)
        own.patient, own.requester = patient, None
        with timezone.override(time_zone_of(user)):
            return view(request, *args, **kwargs)

    return guarded


def _no_record(request: HttpRequest, user: User) -> HttpResponse:
    """Staff work elsewhere: who has the console starts there, the others are told where their pages are."""
    if user.is_staff and request.path == reverse("portal:home"):
        return redirect("admin:index")
    roles = roles_of(user)
    context = {
        "console": user.is_staff,
        "clinician": StaffRole.Role.CLINICIAN in roles,
        "support": StaffRole.Role.SUPPORT in roles,
    }
    return render(request, "portal/no_record.html", context, status=403)


def clinician_required(view: View) -> View:
    """Sign in first; to anyone who is no clinician the page does not exist (404)."""

    @signed_in
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        user = cast(User, request.user)
        if StaffRole.Role.CLINICIAN not in roles_of(user):
            raise Http404
        with timezone.override(time_zone_of(user)):
            return view(request, *args, **kwargs)

    return guarded


def anyone(view: View) -> View:
    """Says on purpose that a page is open to all, signed in or not."""
    return view


def roles_of(user: User) -> frozenset[str]:
    """The staff roles of one user, read once per request."""
    if "_roles" not in vars(user):
        vars(user)["_roles"] = frozenset(user.staff_roles.values_list("role", flat=True))
    roles: frozenset[str] = vars(user)["_roles"]
    return roles


def time_zone_of(user: User) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(user.time_zone or settings.TIME_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)
