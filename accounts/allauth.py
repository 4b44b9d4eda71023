"""What allauth is told to do our way."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import pgettext_lazy

from accounts import secrets, stepup
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
