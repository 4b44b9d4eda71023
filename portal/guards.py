"""Who may open a page. Each guard puts on the request what its view works with."""

import contextlib
import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils import timezone
from django.utils.translation import pgettext
from django_htmx.middleware import HtmxDetails

from accounts import kept
from accounts.models import Patient, RelatedPerson, StaffRole, User
from consent import helper_rights, staff
from consent.requester import Requester
from consent.staff import Action
from portal import acting, helper_words
from portal.acting import Withheld

View = Callable[..., HttpResponseBase]
AView = TypeVar("AView", bound=View)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Of an account that its owner asked to close: a copy to take along, and what happened.
OPEN_WHILE_CLOSING = frozenset(
    {
        *("closing", "step-up", "step-up-provider", "security", "activity", "activity-event"),
        *("downloads", "download-new", "download", "download-file", "download-cancel"),
    }
)
NOT_DONE = "portal.not_done"  # of the session: a form came when nobody was signed in
TYPED = "portal.typed"  # of the session: what was in it, encrypted, where its page takes that back


class PatientRequest(HttpRequest):
    """A request about a record: the signed-in person's own, or that of somebody whom they help."""

    user: User
    patient: Patient
    helping: RelatedPerson | None  # set: `patient` is somebody else
    requester: Requester | None
    htmx: HtmxDetails


class StaffRequest(HttpRequest):
    """A request of a signed-in member of staff."""

    user: User


def signed_in(view: View) -> View:
    """Sign in first. A form that comes too late is not sent: sign-in leads to the page that it was on, and
    that page says that nothing was done. Where the page can show it again, it is kept (`keeps_typed`)."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request, keeps=getattr(view, "keeps_typed", False))
        if request.user.closes_at and _page_name(request) not in OPEN_WHILE_CLOSING:
            with acting.prefixed(None):
                return redirect("portal:closing")
        if request.session.pop(NOT_DONE, False):
            text = pgettext(
                "guard.not_done", "You were signed out. Nothing was changed. Press the button again."
            )
            messages.warning(request, text)
        return view(request, *args, **kwargs)

    return guarded


def _page_name(request: HttpRequest) -> str:
    return str(request.resolver_match.url_name) if request.resolver_match else ""


def keeps_typed(view: AView) -> AView:
    """For pages that show again what was typed when the sign-in had run out (`portal.sending`). Put it
    innermost."""
    view.keeps_typed = True  # type: ignore[attr-defined]
    return view


def _sign_in(request: HttpRequest, *, keeps: bool) -> HttpResponse:
    if request.method in SAFE:
        return redirect_to_login(request.get_full_path())
    request.session[NOT_DONE] = True
    if keeps and (form := kept.keep(request)):
        request.session[TYPED] = form
        return redirect_to_login(request.get_full_path())
    return redirect_to_login(get_script_prefix().rstrip("/") + page_with_form(request.path_info))


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

    A signed-in person without a record of their own gets a page that says so (403), and so does one
    who acts for somebody else: what is behind this is theirs alone.
    """
    return _of_a_record(view, for_helpers=False)


def record_required(view: View) -> View:
    """Sign in first; then `request.patient` is the person's own record, or that of whom they act for.

    An address that is about another person than the session acts for gets 409 and no data.
    """
    return _of_a_record(view, for_helpers=True)


def copies_required(view: View) -> View:
    """As `record_required`, for helpers whom the patient lets save copies."""

    @wraps(view)
    def sharing(request: PatientRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.helping and not request.helping.may_share:
            return render(request, "portal/acting_own_only.html", {"relation": request.helping}, status=403)
        return view(request, *args, **kwargs)

    return record_required(sharing)


def writers_required(view: View) -> View:
    """As `record_required`, for helpers whom the patient lets send things. Each one is decided by itself."""

    @wraps(view)
    def sending(request: PatientRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.helping and not request.helping.may_write:
            return render(request, "portal/acting_own_only.html", {"relation": request.helping}, status=403)
        return view(request, *args, **kwargs)

    return record_required(sending)


def _of_a_record(view: View, *, for_helpers: bool) -> View:
    @signed_in
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        user, asked = cast(User, request.user), cast(PatientRequest, request)
        if refused := acting.conflict(request, user):
            return refused
        asked.requester, asked.helping = None, acting.relation_of(user, acting.in_session(request))
        with timezone.override(time_zone_of(user)):
            refused = _as_helper(asked, user, for_helpers) if asked.helping else _as_patient(asked, user)
            if refused:
                return refused
            with acting.speaking_of(asked.patient.name if asked.helping else ""):
                try:
                    return view(request, *args, **kwargs)
                except Withheld:
                    return render(request, "portal/acting_withheld.html", status=403)

    return guarded


def _as_patient(request: PatientRequest, user: User) -> HttpResponse | None:
    patient = Patient.objects.filter(user=user).first()
    if patient is None:
        return _no_record(request, user)
    user.patient = request.patient = patient
    return None


def _as_helper(request: PatientRequest, user: User, for_helpers: bool) -> HttpResponse | None:
    """Whether they may still act is looked up each time; each read is decided by itself besides."""
    relation = request.helping
    assert relation is not None
    standing = helper_rights.standing(relation)
    if standing.reason is not None:
        acting.end(request)
        with acting.prefixed(None):
            context = {"standing": standing, "text": helper_words.why_over(standing)}
            return render(request, "portal/acting_over.html", context, status=403)
    request.patient = relation.patient
    if not for_helpers:
        return render(request, "portal/acting_own_only.html", {"relation": relation}, status=403)
    return None


def _no_record(request: HttpRequest, user: User) -> HttpResponse:
    """Staff work elsewhere: who has the console starts there, the others are told where their pages are."""
    if user.is_staff and request.path_info == "/":
        return redirect("admin:index")
    roles = roles_of(user)
    context = {
        "console": user.is_staff,
        "clinician": StaffRole.Role.CLINICIAN in roles,
        "support": StaffRole.Role.SUPPORT in roles,
        "billing": StaffRole.Role.BILLING in roles,
        "helps": user.helps.exists(),
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


def staff_required(action: Action) -> Callable[[View], View]:
    """Sign in first; to anyone whom the policies do not let do this the page does not exist (404)."""

    def guard(view: View) -> View:
        @signed_in
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            user = cast(User, request.user)
            if not staff.may(user, action):
                raise Http404
            with timezone.override(time_zone_of(user)):
                return view(request, *args, **kwargs)

        return guarded

    return guard


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
