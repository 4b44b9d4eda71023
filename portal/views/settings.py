"""A person's settings: where each is, language and time, and how soon they hear of what."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from accounts.models import User
from notices import commands as notices
from notices.kinds import KINDS
from portal.guards import signed_in
from portal.pages import page
from portal.settings_forms import LanguageForm, NoticesForm

# Of what goes out at once, that which any person can get.
ALWAYS = (
    "new_sign_in",
    "sign_in_changed",
    "email_changed",
    "app_connected",
    "helper_added",
    "emergency_opened",
)


@page("settings", reads=("User",))
@require_http_methods(["GET", "POST"])
@signed_in
def language_and_time(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = LanguageForm(
        request.POST or None, initial={"language": user.language, "time_zone": user.time_zone}
    )
    if request.method == "POST" and form.is_valid():
        user.language, user.time_zone = form.cleaned_data["language"], form.cleaned_data["time_zone"]
        user.save(update_fields=["language", "time_zone"])
        with translation.override(user.language):
            messages.success(request, pgettext("settings.saved", "Your settings are saved."))
        response = redirect("portal:settings")
        # Else a choice made on this device earlier would hold against the one made now.
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, user.language, samesite="Lax", secure=request.is_secure()
        )
        return response
    return render(request, "portal/settings.html", {"form": form}, status=422 if form.errors else 200)


@page("settings-notices", reads=("Preference",))
@require_http_methods(["GET", "POST"])
@signed_in
def told(request: HttpRequest) -> HttpResponse:
    """What is about safety is told at once whatever is chosen, and the page says so."""
    user = cast(User, request.user)
    recipient = f"User/{user.pk}"
    form = NoticesForm(
        request.POST or None, standing=notices.preferences(recipient), asks_first=user.asks_first
    )
    if request.method == "POST" and form.is_valid():
        notices.prefer(recipient, form.wanted)
        user.asks_first = form.cleaned_data["asks_first"]
        user.save(update_fields=["asks_first"])
        messages.success(request, pgettext("settings.saved", "Your settings are saved."))
        return redirect("portal:settings-notices")
    context = {
        "form": form,
        "email": user.email,
        "example": KINDS["export_ready"],
        "always": [KINDS[name].subject for name in ALWAYS],
    }
    return render(request, "portal/settings_notices.html", context, status=422 if form.errors else 200)
