"""How the secrets of clients are hashed, the one comparison with them, and what tokens are made of."""

import hashlib
import secrets
from typing import Any

from django.contrib.auth.hashers import BasePasswordHasher, mask_hash
from django.utils.crypto import constant_time_compare


def new_token(request: object) -> str:
    """A token of 256 bits, in one draw; oauthlib draws each of its 30 characters, of 178 bits together."""
    return secrets.token_urlsafe(32)


class Sha256SecretHasher(BasePasswordHasher):
    """One SHA-256 over a generated 256-bit secret.

    Slow hashing protects secrets that people choose; here it would only let strangers
    burn our processor (threat P13).
    """

    algorithm = "smart_sha256"

    def salt(self) -> str:
        return "-"

    def encode(self, password: str, salt: str) -> str:
        return f"{self.algorithm}${hashlib.sha256(password.encode()).hexdigest()}"

    def decode(self, encoded: str) -> dict[str, str]:
        algorithm, digest = encoded.split("$", 1)
        return {"algorithm": algorithm, "hash": digest, "salt": ""}

    def verify(self, password: str, encoded: str) -> bool:
        return constant_time_compare(encoded, self.encode(password, ""))

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        return {"algorithm": self.algorithm, "hash": mask_hash(self.decode(encoded)["hash"])}

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to even out: one hash takes no time worth hiding."""


HASHER = Sha256SecretHasher()
NOBODYS = HASHER.encode("", "")


def is_right(secret: str, encoded: str) -> bool:
    """Whether this is the secret that was kept as `encoded`; the same work where there is none (A22)."""
    return HASHER.verify(secret, encoded or NOBODYS) and bool(secret and encoded)
