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
DEMO_MARK = b"demo"  # what every secret of the demo begins with, for production to see
DEMO_PEM = "# Of the demo: production refuses this key.\n"  # RFC 7468, 2: text before the key is left alone


def fresh_secrets(*, demo: bool = False) -> dict[str, str]:
    """Every secret of .env.example that is a random value, by name; the demo's are marked as such."""
    mark = DEMO_MARK if demo else b""
    fresh = {
        name: (mark + secrets.token_bytes(32 - len(mark))).hex()
        for name in ("FIELD_KEY", "AUDIT_MAC_KEY", "AUDIT_SIGNING_KEY")
    }
    return {"SECRET_KEY": f"{'demo-' if demo else ''}{secrets.token_urlsafe(48)}", **fresh}


def ensure_oidc_key(path: Path, *, demo: bool = False) -> Path:
    """The RSA key that signs ID tokens (PKCS #8 PEM, mode 0600), made where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(path, (DEMO_PEM if demo else "") + pem.decode())
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
