"""Where an app sends its person to sign out here, too (OpenID Connect RP-Initiated Logout 1.0)."""

from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.settings import oauth2_settings

from portal.app_names import plain
from portal.guards import anyone
from portal.pages import page
from portal.views.authorize import leaving, who
from smart import signouts
from smart.models import Client
from smart.signouts import SignOut


@page("end-session", reads=("Client",))
@anyone
@csrf_exempt
@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
def begin(request: HttpRequest) -> HttpResponse:
    """The end_session endpoint. It only checks; a form of an app may post here, without our cookie."""
    try:
        asked = signouts.receive(request.POST if request.method == "POST" else request.GET)
    except signouts.NotAsked:
        return _not_asked(request)
    return redirect(f"{reverse('portal:end-session-answer')}?{urlencode({'asked': asked})}")


@page("end-session-answer", reads=("Client",))
@anyone
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest) -> HttpResponse:
    """Ask, unless the app showed that it is the person's own, in this session; then go back to it."""
    try:
        asked = signouts.read(request.GET.get("asked", ""))
    except signouts.NotAsked:
        return _not_asked(request)
    if request.user.is_authenticated:
        key = request.session.session_key or ""
        must_ask = asked.needs_a_yes(user_id=str(request.user.pk), session_key=key)
        if must_ask and request.method != "POST":
            return render(request, "portal/end_session.html", {"app": _name_of(asked)})
        if must_ask and request.POST.get("do") != "out":
            return redirect("/")
        request.session_end = "signed-out-by-app"  # type: ignore[attr-defined]  # accounts.signals reads it
        logout(request)
    client = Client.objects.filter(client_id=asked.client_id).first()
    if asked.back and client and client.is_on_trial:
        return render(request, "portal/end_session_done.html", who(client) | leaving(asked.back))
    if asked.back:
        return OAuth2ResponseRedirect(asked.back, oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)
    return render(request, "portal/end_session_done.html")


def _name_of(asked: SignOut) -> str:
    client = Client.objects.filter(client_id=asked.client_id).first()
    return plain(client.name, 80) or plain(client.client_id, 80) if client else ""


def _not_asked(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/end_session_unsafe.html", status=400)
