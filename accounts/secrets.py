"""Encryption of small secrets at rest, such as second-factor seeds."""

import base64

from cryptography.fernet import Fernet
from django.conf import settings


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(settings.FIELD_KEY[:32]))


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Raises `cryptography.fernet.InvalidToken` for anything that this site did not encrypt."""
    return _fernet().decrypt(text.encode()).decode()
