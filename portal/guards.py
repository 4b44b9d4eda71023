"""Who may open a page. Each guard puts on the request what its view works with."""

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from accounts.models import Patient, StaffRole, User
from consent.authority import Requester

View = Callable[..., HttpResponseBase]


class PatientRequest(HttpRequest):
    """A request of a signed-in person who has a record."""

    user: User
    patient: Patient
    requester: Requester | None
    htmx: HtmxDetails


class StaffRequest(HttpRequest):
    """A request of a signed-in member of staff."""

    user: User


def patient_required(view: View) -> View:
    """Sign in first; then `request.patient` is the person's own record, and times are in their time zone.

    A signed-in person without a record of their own gets a page that says so (403).
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        user = cast(User, request.user)
        patient = Patient.objects.filter(user=user).first()
        if patient is None:
            return render(request, "portal/no_record.html", status=403)
        user.patient = patient
        own = cast(PatientRequest, request)
        own.patient, own.requester = patient, None
        with timezone.override(time_zone_of(user)):
            return view(request, *args, **kwargs)

    return guarded


def clinician_required(view: View) -> View:
    """Sign in first; to anyone who is no clinician the page does not exist (404)."""

    @login_required
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
