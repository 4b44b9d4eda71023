"""What is not a record: help, sign-in settings, files."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.guards import anyone
from portal.pages import page


@page("more")
@anyone
def more(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/more.html")


@page("help")
@anyone
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/help.html")
