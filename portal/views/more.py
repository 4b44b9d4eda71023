"""What is not a record: help, sign-in settings, files."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from portal import acting
from portal.guards import anyone, signed_in
from portal.pages import page


@page("more")
@require_GET
@signed_in
def more(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    if refused := acting.conflict(request, user):
        return refused
    request.helping = acting.relation_of(user, acting.in_session(request))  # type: ignore[attr-defined]
    return render(request, "portal/more.html", {"helps": user.helps.exists()})


@page("help")
@require_GET
@anyone
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/help.html")
