"""Passwords nobody may have: those that are made of what everybody knows of the person or the place."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import pgettext

from accounts.matching import plain
from accounts.models import User

SHORTEST_WORD = 4


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
