"""What allauth is told to do our way."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import pgettext_lazy

from accounts import devices, secrets, stepup
from accounts.models import User
from accounts.stepup import Action

TOO_MANY = pgettext_lazy(
    "sign_in.too_many", "Too many tries. Wait a few minutes, or call your clinic at {phone}."
)


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": format_lazy(TOO_MANY, phone=settings.CLINIC_PHONE)
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody makes an account on their own: a clinic's code or a helper's invitation does."""
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """The first step is right; a second may follow. What was ticked beside it must last until then."""
        told = request.POST.get("shared") == "on"
        request.session["session.shared"] = getattr(request, "is_shared", told)  # of `accounts.providers`
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Wrong passwords are counted by account and place, so that nobody locks another person out: by the
        network address, but in a browser of the person's own by that browser."""
        email = str(credentials.get("email", ""))
        place = "known" if devices.is_known(request, email) else self.get_client_ip(request)
        return f"{super()._get_login_attempts_cache_key(request, **credentials)}:{place}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Guesses from many places at once are few in a day; in a known browser they do not count."""
        super().pre_authenticate(request, **credentials)
        email = str(credentials.get("email", ""))
        if devices.is_known(request, email):
            return
        key = super()._get_login_attempts_cache_key(request, **credentials)
        self._account_usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed_anywhere", key=key
        )
        if not self._account_usage:
            raise self.validation_error("too_many_login_attempts")

    def _rollback_login_failed_rl_usage(self) -> None:
        super()._rollback_login_failed_rl_usage()
        if usage := getattr(self, "_account_usage", None):
            usage.rollback()

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """What allauth asks before it changes a second factor: our step-up answers, and sends to its page."""
        stepup.require(context.request, Action.SECURITY)
        return False

    def format_email_subject(self, subject: str) -> str:
        """Without a host name before it: it says nothing to a patient."""
        return subject


class MFAAdapter(DefaultMFAAdapter):
    def _get_site_name(self) -> str:
        """What an app for codes and a list of passkeys show; allauth would say host and port."""
        return f"Chartkey, {settings.CLINIC_NAME}"

    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text)
