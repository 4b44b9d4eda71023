"""What is not a record: help, sign-in settings, files."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.guards import anyone
from portal.pages import page


@page("more")
@require_GET
@login_required
def more(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/more.html")


@page("help")
@require_GET
@anyone
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/help.html")
