"""Encryption at rest of what is small: second-factor seeds, forms that wait, papers of helpers."""

import base64
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE = 12


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(settings.FIELD_KEY[:32]))


def encrypt(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """Raises `cryptography.fernet.InvalidToken` for anything that this site did not encrypt."""
    return _fernet().decrypt(text.encode()).decode()


def seal(content: bytes, *, about: bytes) -> bytes:
    """Bytes under AES-256-GCM, by a key that is derived from FIELD_KEY. `about`: the row that they are of,
    so that they open in no other."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + _box().encrypt(nonce, content, about)


def unseal(sealed: bytes, *, about: bytes) -> bytes:
    """Raises `cryptography.fernet.InvalidToken` for anything that this site did not seal for that row."""
    try:
        return _box().decrypt(sealed[:NONCE], sealed[NONCE:], about)
    except (InvalidTag, ValueError) as error:
        raise InvalidToken from error


def _box() -> AESGCM:
    return AESGCM(hmac.digest(settings.FIELD_KEY, b"sealed fields", "sha256"))
