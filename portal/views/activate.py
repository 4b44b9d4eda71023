"""Making an account with a clinic's code: who you are, how you sign in, and that the address is yours."""

from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core.internal import ratelimit
from django import forms
from django.conf import settings
from django.contrib.auth.hashers import is_password_usable, make_password
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, pgettext, pgettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import activation, addresses, factors, provider_facts, providers
from accounts.models import ActivationCode, User
from consent import ages
from portal.guards import anyone
from portal.pages import page

KEY = "activation"
NO_EMAIL = pgettext_lazy("email.wrong", "Enter your email, such as name@example.com.")
LASTS = 30 * 60  # seconds from the code to the account


class WhoForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("activate.code", "Code from your clinic"),
        help_text=pgettext_lazy("activate.code.hint", "12 letters and numbers, such as ABCD-EFGH-2345."),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label=pgettext_lazy("activate.name", "Your name, as your clinic has it"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    birth_date = forms.DateField(
        label=pgettext_lazy("activate.birth", "Your birth date"),
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "bday"}),
        error_messages={
            "invalid": pgettext_lazy("activate.birth.wrong", "Enter your birth date: month, day and year.")
        },
    )


class AccountForm(forms.Form):
    email = forms.EmailField(
        label=pgettext_lazy("activate.email", "Your email"),
        help_text=pgettext_lazy("activate.email.hint", "One that only you read. We send a code there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": NO_EMAIL},
    )
    password = forms.CharField(
        label=pgettext_lazy("activate.password", "A new password"),
        help_text=pgettext_lazy(
            "password.help", "Use at least 15 characters. A few words that only you know are fine."
        ),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, data: Any, *, name: str, has_password: bool) -> None:
        super().__init__(data)
        self.name = name
        if not has_password:
            del self.fields["password"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if addresses.is_taken(email):
            raise forms.ValidationError(address_is_shared())
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if password := cleaned.get("password"):
            try:
                validate_password(password, User(name=self.name, email=cleaned.get("email", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned


class CodeForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("activate.mail_code", "Code from the email"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def address_is_shared() -> str:
    return pgettext(
        "address.shared",
        "Another account uses this email. A parent and a teen, or two partners, cannot share one. "
        "Each must be able to read their own messages alone.",
    )


@page("activate")
@require_http_methods(["GET", "POST"])
@anyone
def activate(request: HttpRequest) -> HttpResponse:
    """Step 1. One answer for all that can be wrong, so that codes and people cannot be tried out."""
    if request.user.is_authenticated:
        return redirect("portal:home")
    if request.method == "GET" and "with" not in request.GET:
        provider_facts.drop(request)  # whoever signed in somewhere else may be another person
    form = WhoForm(request.POST or None)
    if request.method == "POST" and not ratelimit.consume(request, app="allauth.account", action="activate"):
        return render(request, "429.html", status=429)
    if not form.is_valid():
        return _show(request, "activate", form)
    told = form.cleaned_data
    try:
        row = activation.check(told["code"], name=told["name"], birth_date=told["birth_date"])
        _check_provider(request, row)
        if not ages.may_sign_in(row.patient, timezone.now()):
            return render(request, "portal/activate_child.html", status=403)
    except activation.NotRight:
        text = pgettext(
            "activate.wrong",
            "These do not go together, or the code is too old. After 5 tries you need a new code.",
        )
        form.add_error(None, text)
        return _show(request, "activate", form)
    begin(request, row)
    return redirect("portal:activate-account")


def begin(request: HttpRequest, row: ActivationCode) -> None:
    """Step 1 is done: whose the account will be is known in this session."""
    request.session[KEY] = {"id": str(row.pk), "since": factors.now()}


def _check_provider(request: HttpRequest, row: ActivationCode) -> None:
    """Who was identified elsewhere as born on another day does not take this code. Raises NotRight."""
    waits = provider_facts.waiting(request)
    if waits and waits.is_identified and waits.birth_date != row.patient.birth_date.isoformat():
        activation.refuse(row)
        raise activation.NotRight


@page("activate-account")
@require_http_methods(["GET", "POST"])
@anyone
def account(request: HttpRequest) -> HttpResponse:
    """Step 2: an address and a password of their own."""
    row = _row(request)
    if row is None:
        return redirect("portal:activate")
    waits = provider_facts.waiting(request)
    form = AccountForm(request.POST or None, name=row.patient.name, has_password=waits is None)
    if not form.is_valid():
        label = settings.IDENTITY_PROVIDERS[waits.provider].label if waits else ""
        teen = "yes" if ages.is_teen(row.patient, timezone.now()) else ""
        return _show(request, "activate_account", form, provider=label, teen=teen)
    request.session[KEY] |= {"password": make_password(form.cleaned_data.get("password"))}
    request.session.modified = True
    addresses.send_code(request, form.cleaned_data["email"])
    return redirect("portal:activate-confirm")


@page("activate-confirm")
@require_http_methods(["GET", "POST"])
@anyone
def confirm(request: HttpRequest) -> HttpResponse:
    """Step 3: the code that was sent; then they are signed in, and can add a passkey at once."""
    row, waits = _row(request), addresses.waits_for(request)
    if row is None or not waits or "password" not in request.session[KEY]:
        return redirect("portal:activate-account" if row else "portal:activate")
    form = CodeForm(request.POST or None)
    if not form.is_valid():
        return _show(request, "activate_confirm", form, email=waits)
    email = addresses.check_code(request, form.cleaned_data["code"])
    if not email:
        form.add_error("code", pgettext("activate.mail_code.wrong", "This is not the code that we sent."))
        return _show(request, "activate_confirm", form, email=waits)
    return _make_account(request, row, email)


def _make_account(request: HttpRequest, row: ActivationCode, email: str) -> HttpResponse:
    """Signed in by the password that was chosen, or by the provider that was gone to instead."""
    password, found = request.session.pop(KEY)["password"], provider_facts.waiting(request)
    provider = found.as_answer() if found and not is_password_usable(password) else None
    if provider is None and not is_password_usable(password):
        return redirect("portal:activate")
    try:
        with transaction.atomic():
            language = (get_language() or "en")[:2]
            user = activation.use(row, email=email, password_hash=password, language=language)
            if provider:
                providers.link(request, user, provider)
    except (activation.NotRight, IntegrityError, providers.Failed):
        return redirect("portal:activate")
    add_passkey = reverse("mfa_add_webauthn")
    if provider:
        provider_facts.drop(request)
        return providers.sign_in(request, user, provider, redirect_url=add_passkey)
    login = Login(user=user, redirect_url=add_passkey)
    response: HttpResponse = perform_password_login(request, {"email": email}, login)
    return response


def _row(request: HttpRequest) -> ActivationCode | None:
    """What step 1 proved in this session, while it is fresh and still open."""
    told = request.session.get(KEY)
    if not told or factors.now() - told["since"] > LASTS:
        return None
    row = ActivationCode.objects.select_related("patient").filter(pk=UUID(told["id"])).first()
    return row if row and activation.is_open(row) else None


def _show(request: HttpRequest, name: str, form: forms.Form, **more: str) -> HttpResponse:
    return render(request, f"portal/{name}.html", {"form": form, **more}, status=422 if form.errors else 200)
