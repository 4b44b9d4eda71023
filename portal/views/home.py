"""Home: one clear next thing, and who can see the records."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.guards import anyone
from portal.pages import page


@page("home", reads=("DiagnosticReport", "Consent", "ExportJob"))
@anyone
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/welcome.html")
