"""The session itself: how long it lasts, a form that came after its end, and where else one is open."""

from typing import cast
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import npgettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import kept, sessions, stepup
from accounts.models import RelatedPerson, User
from accounts.stepup import Action
from audit import context
from portal import acting
from portal.guards import anyone, signed_in
from portal.pages import page
from portal.views.acting import begin


@require_http_methods(["GET", "POST"])
@anyone
def left(request: HttpRequest) -> HttpResponse:
    """The note that a session ends soon, or has ended; htmx asks for it when it could be time.

    Looking makes no session longer, and a page that waits keeps what was typed on it. To POST does.
    """
    if not request.user.is_authenticated:
        return render(request, "portal/session_left.html", {"over": True})
    seconds, can_stay = sessions.left(request)
    if request.method == "POST" and seconds > 0:
        sessions.touch(request)
        seconds, can_stay = sessions.left(request)
    if seconds <= 0 and sessions.is_shared(request):  # others may look at the screen next
        return HttpResponse(headers={"HX-Redirect": reverse("account_login")})
    told = {
        "over": seconds <= 0,
        "soon": seconds <= sessions.WARN_BEFORE + 1,
        "can_stay": can_stay,
        "ask_in": round(max(1, seconds - sessions.WARN_BEFORE)),
        "over_in": round(seconds) + 1,
    }
    return render(request, "portal/session_left.html", told)


left.watches_session = True  # type: ignore[attr-defined]  # the middleware leaves it to this view


@page("late")
@require_http_methods(["GET", "POST"])
@signed_in
def late(request: HttpRequest) -> HttpResponseBase:
    """What was sent after the session had ended: its owner, signed in again, says whether it is sent now.

    What was sent for somebody else is sent for them again, by the same rules as a switch to them."""
    to_home = redirect("portal:home")
    if request.method == "GET":
        form = sessions.late_form(request)
        return render(request, "portal/late.html", {"relation": _whose(request, form)}) if form else to_home
    form = sessions.late_form(request)
    relation = _whose(request, form)
    if relation and request.POST.get("do") == "send":
        stepup.require(request, Action.ACTING_FIRST)  # it asks for this page again, so nothing is taken yet
    sessions.late_form(request, take=True)
    if not form or request.POST.get("do") != "send":
        messages.info(request, pgettext("late.dropped", "Nothing was sent."))
        return to_home
    if relation is None:
        return kept.send_again(request, form)
    if refused := begin(request, cast(User, request.user), relation):
        return refused
    request.acting_for = relation.pk  # type: ignore[attr-defined]  # as its address says
    with acting.prefixed(relation.pk):
        return kept.send_again(request, form)


def _whose(request: HttpRequest, form: str) -> RelatedPerson | None:
    """For whom a late form acts, if for somebody else. Raises Http404 where it cannot be read, or is for
    somebody whom this person never helped."""
    try:
        match = acting.ADDRESS.match(kept.path_of(form)) if form else None
    except InvalidToken as error:
        raise Http404 from error
    relation = acting.relation_of(cast(User, request.user), UUID(match[1])) if match else None
    if match and relation is None:
        raise Http404
    return relation


@page("devices", reads=("UserSession",))
@require_GET
@signed_in
def devices(request: HttpRequest) -> HttpResponse:
    """Where this person is signed in: by which browser, roughly from where, and since when."""
    user = cast(User, request.user)
    here = context.coarse(_address(request))
    rows = [
        {
            "session": session,
            "is_current": session.session_key == request.session.session_key,
            "is_here": context.coarse(session.ip) == here,
            "network": context.coarse(session.ip),
        }
        for session in sessions.of(user)
    ]
    return render(request, "portal/devices.html", {"rows": rows, "shared": sessions.is_shared(request)})


@require_POST
@signed_in
def end(request: HttpRequest) -> HttpResponse:
    """End one session of one's own, all others, or all."""
    user, here = cast(User, request.user), request.session.session_key or ""
    which = request.POST.get("which", "")
    if which == "all":
        sessions.end(request, user, but=here)
        request.session_end = sessions.Why.ELSEWHERE  # type: ignore[attr-defined]
        logout(request)
        messages.info(request, pgettext("devices.ended.all", "You are signed out everywhere."))
        return redirect("account_login")
    if which == "others":
        count = sessions.end(request, user, but=here)
    else:
        row = next((s for s in sessions.of(user) if str(s.pk) == which and s.session_key != here), None)
        count = sessions.end(request, user, key=row.session_key) if row else 0
    text = npgettext(
        "devices.ended", "{count} device is signed out.", "{count} devices are signed out.", count
    )
    messages.success(request, text.format(count=count))
    return redirect("portal:devices")


def _address(request: HttpRequest) -> str:
    here = context.current.get()
    return here.address if here else ""
