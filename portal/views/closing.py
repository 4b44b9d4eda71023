"""Closing one's own account: what happens is said first, a copy is offered, and there are days to undo it."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_http_methods

from accounts import stepup
from accounts.models import User
from accounts.stepup import Action
from consent import leaving
from consent.versions import Act
from portal import acting
from portal.authorization import text_of
from portal.guards import signed_in
from portal.pages import StepUp, page


@page("closing", reads=("User",), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@signed_in
def closing(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    if refused := acting.conflict(request, user):
        return refused
    context = {"closes_at": user.closes_at, "days": leaving.WAITS.days}
    if request.method == "GET":
        return render(request, "portal/closing.html", context)
    act = _act(request, user, render_to_string("portal/closing_says.html", context, request))
    key = request.session.session_key
    if request.POST.get("do") == "stay":
        if leaving.stay(user, act=act, session_key=key):
            messages.success(request, pgettext("closing.stayed", "Your account stays, as it was before."))
        return redirect("portal:home")
    stepup.require(request, Action.CLOSE)
    leaving.ask_to_close(user, act=act, session_key=key)
    return redirect("portal:closing")


def _act(request: HttpRequest, user: User, shown: str) -> Act:
    said = text_of(shown)
    return Act(by=user, channel=leaving.CHANNEL, text_shown=said, language=get_language() or "en")
