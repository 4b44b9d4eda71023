"""The end of a session is the end of what rests on it."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from smart import launches


@receiver(user_logged_out)
def end_online_tokens(request: HttpRequest | None, **kwargs: Any) -> None:
    """Sent before the session is emptied, so that its key is still known."""
    key = request.session.session_key if request is not None and hasattr(request, "session") else None
    if key:
        launches.end_online(key)
