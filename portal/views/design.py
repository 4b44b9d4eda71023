"""The living page of the design system: every part, drawn by the same templates as the pages. Demo only."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.guards import anyone
from portal.pages import page


@page("design")
@anyone
def design(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/design.html")
