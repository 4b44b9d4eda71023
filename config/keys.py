"""Fresh secrets for a new installation.

`python -m config.keys` prints .env.example with every empty secret filled in and makes
the OpenID Connect key beside it; nothing is sent anywhere.
"""

import argparse
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parent.parent


def fresh_secrets() -> dict[str, str]:
    """Every secret of .env.example that is a random value, by name."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_KEY": secrets.token_hex(32),
        "AUDIT_MAC_KEY": secrets.token_hex(32),
        "AUDIT_SIGNING_KEY": secrets.token_hex(32),
    }


def ensure_oidc_key(path: Path) -> Path:
    """The RSA key that signs ID tokens (PKCS #8 PEM, mode 0600), made where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(path, pem.decode())
    return path


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    part.replace(path)


def filled(example: str, values: dict[str, str]) -> str:
    """`.env.example` with `NAME=` lines filled from `values`; other lines stay as they are."""
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        lines.append(f"{name}={values[name]}" if equals and not value and name in values else line)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.keys", description=__doc__)
    parser.add_argument("--oidc-key-file", type=Path, default=ROOT / "oidc.pem")
    key_file = ensure_oidc_key(parser.parse_args().oidc_key_file).resolve()
    values = {**fresh_secrets(), "OIDC_KEY_FILE": str(key_file)}
    print(filled((ROOT / ".env.example").read_text(), values), end="")


if __name__ == "__main__":
    main()
