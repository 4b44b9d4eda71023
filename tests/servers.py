"""The suite runs on a real PostgreSQL and a real Valkey, both out of wheels.

They live in `$CHARTKEY_VAR/test` (default `var/test`), are started once and stopped at
the end; the database is kept between runs (`--reuse-db`), so that only new migrations cost time.
"""

import os
import secrets
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("CHARTKEY_VAR", ROOT / "var")) / "test"


def _environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "CHARTKEY_ENV_FILE": os.devnull,
        "CHARTKEY_MODE": "test",
        "CHARTKEY_VAR": str(VAR),
        "BASE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "demo-test-" + "x" * 50,
        "FIELD_KEY": "11" * 32,
        "AUDIT_MAC_KEY": "22" * 32,
        "AUDIT_SIGNING_KEY": "33" * 32,
        "OIDC_KEY_FILE": str(_oidc_key()),
        "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    }


def _oidc_key() -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = VAR / "oidc.pem"
    if not path.exists():
        VAR.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        part = path.with_suffix(f".{secrets.token_hex(4)}")
        part.write_bytes(pem)
        part.replace(path)
    return path


# A plugin (-p tests.servers), since pytest-django reads the settings before any conftest. The servers
# start in the controlling process; xdist's workers find them in the environment.
if "PYTEST_XDIST_WORKER" not in os.environ:
    from config.embedded import OWNER, start_postgres, start_valkey

    _postgres = start_postgres(VAR / "postgres")
    _valkey = start_valkey(VAR / "valkey")
    os.environ.update(_environment(_postgres.url(OWNER), _valkey.url()))

    def pytest_unconfigure(config: pytest.Config) -> None:
        _valkey.stop()
        _postgres.stop()
