"""The page that asks a person to prove again that it is them, and then does what they were about to do."""

from typing import Any, cast
from uuid import UUID

from allauth.core.internal import ratelimit
from cryptography.fernet import InvalidToken
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import factors, kept, providers, stepup
from accounts.factors import Factor
from accounts.models import User
from accounts.stepup import Waiting
from portal.guards import page_with_form, signed_in
from portal.pages import page
from portal.stepup import ABOUT_TO


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=pgettext_lazy("stepup.password", "Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("stepup.code", "Code"),
        help_text=pgettext_lazy("stepup.code.which", "From your app, or one of your backup codes."),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


@page("step-up")
@require_http_methods(["GET", "POST"])
@signed_in
def step_up(request: HttpRequest, waiting_id: UUID) -> HttpResponseBase:
    """Open to whoever is signed in; it knows the actions of their own session only."""
    waits = stepup.waiting(request, waiting_id)
    if waits is None:
        return render(request, "portal/step_up_over.html", status=404)
    if request.method == "GET":
        return _ask(request, waits)
    if not ratelimit.consume(request, app="allauth.account", action="reauthenticate", user=request.user):
        return render(request, "429.html", status=429)
    factor = _check(request, stepup.accepted_of(cast(User, request.user), waits.action))
    if factor:
        stepup.passed(request, waits, factor)
        return go_on(request, waits)
    if stepup.failed(request, waits, _tried(request)):
        request.session_end = "stepup-failed"  # type: ignore[attr-defined]  # accounts.signals reads it
        logout(request)
        text = pgettext("stepup.ended", "Too many tries. To be safe, we signed you out. Nothing was changed.")
        messages.error(request, text)
        return redirect("account_login")
    return _ask(request, waits, wrong=True)


def _ask(request: HttpRequest, waits: Waiting, *, wrong: bool = False) -> HttpResponse:
    user = cast(User, request.user)
    accepted = stepup.accepted_of(user, waits.action)
    context: dict[str, Any] = {
        "waiting_id": waits.id,
        "about_to": ABOUT_TO[waits.action],
        "accepted": accepted,
        "wrong": wrong,
        "back": page_with_form(waits.path.partition("?")[0]),
        "is_staff_action": not stepup.POLICIES[waits.action].sign_in_counts,
    }
    if Factor.PASSKEY in accepted:
        context["passkey_data"] = {"request_options": factors.passkey_question(user)}
    if {Factor.CODE, Factor.BACKUP_CODE} & set(accepted):
        context["code_form"] = CodeForm()
    if {Factor.PROVIDER, Factor.PROVIDER_MFA} & set(accepted):
        mine = providers.linked(user)
        context["providers"] = [one for one in settings.IDENTITY_PROVIDERS.values() if one.id in mine]
    if Factor.PASSWORD in accepted:
        context["password_form"] = PasswordForm()
    return render(request, "portal/step_up.html", context, status=422 if wrong else 200)


def _check(request: HttpRequest, accepted: tuple[Factor, ...]) -> Factor | None:
    """By the one field that was filled, and only if this action takes it from this person."""
    user, sent = cast(User, request.user), request.POST
    if sent.get("credential") and Factor.PASSKEY in accepted:
        return factors.check_passkey(request, user, sent["credential"])
    if sent.get("code"):
        return factors.check_code(request, user, sent["code"], accepted)
    if sent.get("password") and Factor.PASSWORD in accepted:
        return factors.check_password(request, user, sent["password"])
    return None


def _tried(request: HttpRequest) -> str:
    return next((name for name in ("credential", "code", "password") if request.POST.get(name)), "nothing")


def go_on(request: HttpRequest, waits: Waiting) -> HttpResponseBase:
    if waits.is_file:
        # The browser stays on this page while it saves the file.
        context = {"file": waits.path, "back": page_with_form(waits.path.partition("?")[0])}
        return render(request, "portal/step_up_file.html", context)
    if not waits.form:
        return redirect(waits.path)
    try:
        return kept.send_again(request, waits.form)
    except InvalidToken:  # the key was changed in between
        return redirect(page_with_form(waits.path.partition("?")[0]))
