"""How a person signs in: passkeys, codes, password and address, all on one page."""

from typing import Any, cast

from allauth.account.views import password_change as allauth_password_change
from allauth.account.views import password_set as allauth_password_set
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import deactivate_totp
from allauth.mfa.webauthn.views import remove_webauthn
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts import addresses, factors, passwords, providers, stepup
from accounts.models import User
from accounts.stepup import Action
from portal.guards import signed_in
from portal.pages import StepUp, page
from portal.stepup import step_up
from portal.views.activate import NO_EMAIL, CodeForm, address_is_shared

ALWAYS = frozenset({"GET", "HEAD", "POST"})


class AddressForm(forms.Form):
    email = forms.EmailField(
        label=pgettext_lazy("email.new", "Your new email"),
        help_text=pgettext_lazy("activate.email.hint", "One that only you read. We send a code there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": NO_EMAIL},
    )

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if addresses.is_taken(email, but=self.user):
            raise forms.ValidationError(address_is_shared())
        return email


@page("security", reads=("Authenticator",))
@require_GET
@signed_in
def security(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    mine = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    backup = next((a for a in mine if a.type == Authenticator.Type.RECOVERY_CODES), None)
    context = {
        "passkeys": [a for a in mine if a.type == Authenticator.Type.WEBAUTHN],
        "codes": next((a for a in mine if a.type == Authenticator.Type.TOTP), None),
        "backup": backup,
        "backup_left": len(backup.wrap().get_unused_codes()) if backup else 0,
        "has_password": user.has_usable_password(),
        "providers": settings.IDENTITY_PROVIDERS.values(),
        "linked": providers.linked(user),
    }
    return render(request, "portal/security.html", context)


@signed_in
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponseBase:
    """allauth's page, but for the last way to sign in: that one stays."""
    user = cast(User, request.user)
    if refused := _keep_for_password(request, user, pk):
        return refused
    if not factors.can_sign_in_without(user, Authenticator(pk=pk)):
        text = pgettext("security.last", "This is your only way to sign in. Add another one first.")
        messages.error(request, text)
        return redirect("portal:security")
    answer: HttpResponseBase = remove_webauthn(request, pk=pk)
    return answer


@signed_in
def remove_codes(request: HttpRequest) -> HttpResponseBase:
    """allauth's page, but for the second factor that a short password needs."""
    user = cast(User, request.user)
    codes = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    refused = _keep_for_password(request, user, codes.pk) if codes else None
    answer: HttpResponseBase = refused or deactivate_totp(request)
    return answer


def _keep_for_password(request: HttpRequest, user: User, pk: int) -> HttpResponse | None:
    """A password of few characters is no way to sign in by itself: the last second factor stays with it."""
    if not user.has_short_password or passwords.has_second_factor(user, but=pk):
        return None
    text = pgettext(
        "security.short", "Your password is short. Choose one of 15 characters first, then remove this."
    )
    messages.error(request, text)
    return redirect("portal:security")


@signed_in
@step_up(Action.SECURITY, methods=ALWAYS)
def password_change(request: HttpRequest) -> HttpResponseBase:
    """allauth's page. It asks for the proof first, so that no password is ever kept with a form."""
    answer: HttpResponseBase = allauth_password_change(request)
    return answer


@signed_in
@step_up(Action.SECURITY, methods=ALWAYS)
def password_set(request: HttpRequest) -> HttpResponseBase:
    """The same, for who has none yet."""
    answer: HttpResponseBase = allauth_password_set(request)
    return answer


@page("email", step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@signed_in
def email(request: HttpRequest) -> HttpResponseBase:
    user = cast(User, request.user)
    form = AddressForm(request.POST or None, user=user)
    if not form.is_valid():
        return render(request, "portal/email.html", {"form": form}, status=422 if form.errors else 200)
    stepup.require(request, Action.CONTACT)
    if not ratelimit.consume(request, app="allauth.account", action="manage_email", user=user):
        return render(request, "429.html", status=429)
    addresses.send_code(request, form.cleaned_data["email"])
    return redirect("portal:email-confirm")


@page("email-confirm", step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@signed_in
def email_confirm(request: HttpRequest) -> HttpResponseBase:
    """The code that was sent to the new address; the old one hears of the change."""
    waits = addresses.waits_for(request)
    if not waits:
        return redirect("portal:email")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        stepup.require(request, Action.CONTACT)
        address = addresses.check_code(request, form.cleaned_data["code"])
        try:
            if address:
                addresses.change(request, cast(User, request.user), address)
                text = pgettext("email.changed", "Your email is changed. We told your old address.")
                messages.success(request, text)
                return redirect("portal:security")
        except IntegrityError:
            return redirect("portal:email")
        form.add_error("code", pgettext("activate.mail_code.wrong", "This is not the code that we sent."))
    context = {"form": form, "email": waits}
    return render(request, "portal/email_confirm.html", context, status=422 if form.errors else 200)
