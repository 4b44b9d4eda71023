"""Where an app asks for a person's records, and the person answers (SMART App Launch 2.2)."""

from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.contrib.auth import logout
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.settings import oauth2_settings

from accounts.models import Patient, User
from consent import versions
from consent.models import Consent
from consent.words import TOPIC
from portal import authorization, sees
from portal.answer_form import AnswerForm
from portal.authorization import plain
from portal.guards import anyone, time_zone_of
from portal.pages import page
from smart import requests
from smart.commands import is_web_address
from smart.models import AuthorizationRequest


class SignedInRequest(HttpRequest):
    user: User


@page("authorize", reads=("Client",))
@anyone
@csrf_exempt
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """The authorization endpoint, by GET and POST. It only checks and keeps the request: the
    form of an app may post here, and what changes anything is the page after it."""
    try:
        asked = requests.receive(request)
    except requests.Unsafe:
        return _unsafe(request)
    except requests.Refused as refused:
        return _to_app(refused.location)
    return redirect("portal:authorize-answer", asked.pk)


@page("authorize-answer", reads=("Client", "Consent"))
@anyone
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Sign in, then choose, then go back to the app. Open to all, so that it can say who asks."""
    asked = AuthorizationRequest.objects.select_related("client").filter(pk=request_id).first()
    if asked is None:
        raise Http404
    looks = request.method == "POST" and request.POST.get("do") == "preview"
    is_answer = request.method == "POST" and not looks and request.user.is_authenticated
    if not is_answer and not requests.is_open(asked):
        return _over(request, asked)
    if not request.user.is_authenticated:
        return render(request, "portal/authorize_sign_in.html", _who(asked) | {"sign_in": _sign_in(request)})
    signed_in = cast(SignedInRequest, request)
    if _authenticated_at(signed_in) < _fresh_since(asked):
        logout(request)
        return redirect(request.path)
    if looks:
        return _would_see(signed_in, asked)
    if not is_answer:
        return _ask(signed_in, asked)
    try:
        return _decide(signed_in, asked)
    except requests.Unsafe:
        return _unsafe(request)


def _would_see(request: SignedInRequest, asked: AuthorizationRequest) -> HttpResponse:
    """What the app would see after the answer that is on the page now; nothing is answered by it."""
    patient = Patient.objects.filter(user=request.user).first()
    with timezone.override(time_zone_of(request.user)):
        form = AnswerForm(asked, None, request.POST)
        found = (
            sees.before(request.user, patient, asked, form.answer()) if patient and form.is_valid() else None
        )
    if getattr(request, "htmx", False):
        return render(request, "portal/authorize_sees.html", {"sees": found})
    return _ask(request, asked, form, found)


def _ask(
    request: SignedInRequest,
    asked: AuthorizationRequest,
    form: AnswerForm | None = None,
    found: sees.Sees | None = None,
) -> HttpResponse:
    patient = Patient.objects.filter(user=request.user).first()
    language = get_language() or "en"
    if patient is None:
        requests.show(asked, to=request.user, text="", language=language)
        return render(request, "portal/authorize_no_record.html", _who(asked) | {"asked": asked}, status=403)
    with timezone.override(time_zone_of(request.user)):
        before = Consent.objects.filter(patient=patient, client=asked.client, status="active").first()
        form = form or AnswerForm(asked, before)
        about = {"asked": asked, "form": form, "question": form.question, "before": before, "sees": found}
        context = _who(asked) | about
        context["paused"] = patient.consents.filter(status=Consent.Status.PAUSED).exists()
        context["topics"] = ", ".join(str(name) for name in TOPIC.values())
        text = authorization.text_of(render_to_string("portal/authorize.html#question", context, request))
        requests.show(asked, to=request.user, text=text, language=language)
        return render(request, "portal/authorize.html", context, status=422 if form.errors else 200)


@transaction.atomic
def _decide(request: SignedInRequest, asked: AuthorizationRequest) -> HttpResponse:
    """One answer to one request: a form that is sent twice gets what the first one got."""
    patient = Patient.objects.filter(user=request.user).first()
    if patient:
        # Before any row is held: what others read in between must stand before this in the log (ADR 2).
        versions.lock(patient.pk)
    locked = requests.lock(asked.pk)
    if locked is None or not requests.is_open(locked):
        return _over(request, locked or asked)
    if not requests.is_answer_to_what_was_shown(locked, request.user, request.POST.get("shown", "")):
        return render(request, "portal/authorize_again.html", _who(locked), status=409)
    if request.POST.get("do") != "share":
        return _to_app(requests.decline(locked, user=request.user))
    with timezone.override(time_zone_of(request.user)):
        form = AnswerForm(locked, None, request.POST)
        if patient is None or not locked.text_shown or not form.is_valid():
            return _ask(request, locked, form)
        location = authorization.share(
            locked,
            user=request.user,
            patient=patient,
            answer=form.answer(),
            authenticated_at=_authenticated_at(request),
        )
    return _to_app(location)


def _unsafe(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/authorize_unsafe.html", status=400)


def _over(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    """Answered, or open for too long."""
    user = request.user
    if request.method == "POST" and user.is_authenticated:
        location = requests.earlier_answer(asked, user)
        if location:
            return _to_app(location)
    mine = asked.answered_at is not None and asked.user_id == user.pk
    return render(request, "portal/authorize_over.html", _who(asked) | {"answered": mine}, status=410)


def _to_app(location: str) -> HttpResponse:
    return OAuth2ResponseRedirect(location, oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)


def _who(asked: AuthorizationRequest) -> dict[str, str]:
    """The app, in its own words made safe."""
    client = asked.client
    return {
        "app": plain(client.name or client.client_id, 80),
        "maker": plain(client.vendor, 80),
        "purpose": plain(client.purpose, 200),
        "privacy_policy": client.privacy_policy_uri if is_web_address(client.privacy_policy_uri) else "",
    }


def _sign_in(request: HttpRequest) -> str:
    return f"{reverse('account_login')}?{urlencode({'next': request.path})}"


def _authenticated_at(request: SignedInRequest) -> datetime:
    """When this session's person last proved who they are."""
    times = [record["at"] for record in get_authentication_records(request, request.user)]
    if times:
        return datetime.fromtimestamp(max(times), tz=timezone.get_default_timezone())
    return request.user.last_login or request.user.date_joined


def _fresh_since(asked: AuthorizationRequest) -> datetime:
    """OIDC Core, 3.1.2.1: how old the sign-in may be."""
    oldest = datetime.min.replace(tzinfo=timezone.get_default_timezone())
    if "login" in (asked.parameters["prompt"] or "").split():
        oldest = asked.created_at
    if asked.parameters["max_age"]:
        oldest = max(oldest, asked.created_at - timedelta(seconds=int(asked.parameters["max_age"])))
    return oldest
