"""Passwords nobody may have: those that are made of what everybody knows of the person or the place."""

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import pgettext

from accounts.matching import plain
from accounts.models import User

SHORTEST_WORD = 4
ALONE, WITH_MORE = 15, 8  # characters: a password that is the only factor, and one beside another (3.1.1.2)


class LengthValidator:
    """NIST SP 800-63B-4, 3.1.1.2: 15 characters, or 8 where a second factor is asked for at each sign-in."""

    def validate(self, password: str, user: User | None = None) -> None:
        least = WITH_MORE if user and has_second_factor(user) else ALONE
        if len(password) < least:
            raise ValidationError(
                pgettext("password.short", "Use at least %(least)d characters."),
                code="password_too_short",
                params={"least": least},
            )

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user:
            user.has_short_password = len(password) < ALONE
            User.objects.filter(pk=user.pk).update(has_short_password=user.has_short_password)

    def get_help_text(self) -> str:
        return pgettext(
            "password.help.length",
            "At least 15 characters; 8 are enough with a passkey or codes from an app.",
        )


def has_second_factor(user: User, *, but: int | None = None) -> bool:
    """Whether sign-in by password asks for one more; `but` is one that is about to go."""
    strong = (Authenticator.Type.WEBAUTHN, Authenticator.Type.TOTP)
    mine = Authenticator.objects.filter(user_id=user.pk, type__in=strong)
    return mine.exclude(pk=but).exists()


class ContextValidator:
    """NIST SP 800-63B-4, 3.1.1.2: no words of the service, the name or the address, however often."""

    def validate(self, password: str, user: User | None = None) -> None:
        known = f"chartkey {settings.CLINIC_NAME} password"
        if user is not None:
            known += f" {user.name} {user.email.replace('@', ' ').replace('.', ' ')}"
        left = plain(password).replace(" ", "")
        for word in plain(known).split():
            if len(word) >= SHORTEST_WORD:
                left = left.replace(word, "")
        if len("".join(c for c in left if not c.isdigit())) < SHORTEST_WORD:
            raise ValidationError(
                pgettext(
                    "password.context",
                    "This is too easy to guess: it is made of names and words that others know.",
                ),
                code="password_context",
            )

    def get_help_text(self) -> str:
        return pgettext(
            "password.help", "Use at least 15 characters. A few words that only you know are fine."
        )
