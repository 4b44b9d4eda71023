"""Typed readers of the environment.

Values come from the process environment first, then from one file of
`NAME=value` lines: the one named by CHARTKEY_ENV_FILE, else `.env`, else
`var/demo.env`, which `make demo` writes. A missing value names itself and
`.env.example`.
"""

import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class MissingVariable(RuntimeError):
    """A setting that has no safe default is not in the environment."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is not set. Put it in the environment or in .env; "
            ".env.example says what it is for. For a try-out run: make demo"
        )


class BadVariable(RuntimeError):
    """A setting is there, and cannot be read."""


def env_file() -> Path | None:
    named = os.environ.get("CHARTKEY_ENV_FILE")
    candidates = [Path(named)] if named else [ROOT / ".env", ROOT / "var" / "demo.env"]
    return next((path for path in candidates if path.is_file()), None)


@cache
def _file_values() -> dict[str, str]:
    path = env_file()
    if path is None:
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def text(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, _file_values().get(name, default))
    if value is None:
        raise MissingVariable(name)
    return value


def flag(name: str, *, default: bool = False) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise BadVariable(f"{name} is {value!r}; it takes 1 or 0.")
    return value in {"1", "true", "yes"}


def number(name: str, default: int) -> int:
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise BadVariable(f"{name} is {value!r}; it takes a whole number.") from None


def listing(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def choices(name: str) -> dict[str, str]:
    """Named words: `first=one,second=other`."""
    parts = [part.partition("=") for part in listing(name)]
    if not all(equals for _, equals, _ in parts):
        raise BadVariable(f"{name} takes name=word, with commas between.")
    return {key.strip(): value.strip() for key, _, value in parts}


def numbers(name: str) -> dict[str, int]:
    """Named whole numbers: `first=10,second=20`."""
    parts = [part.partition("=") for part in listing(name)]
    try:
        return {key.strip(): int(value) for key, _, value in parts}
    except ValueError:
        raise BadVariable(f"{name} takes name=number, with commas between.") from None


def path(name: str, default: Path | None = None) -> Path:
    return Path(text(name, None if default is None else str(default))).expanduser()


def key(name: str, *, exact: bool = False) -> bytes:
    """A secret of at least 32 bytes, or of exactly 32, written as hexadecimal."""
    try:
        value = bytes.fromhex(text(name))
    except ValueError:
        raise BadVariable(f"{name} is not hexadecimal. Make one: openssl rand -hex 32") from None
    if len(value) < 32:
        raise BadVariable(f"{name} is shorter than 32 bytes. Make one: openssl rand -hex 32")
    if exact and len(value) > 32:
        raise BadVariable(f"{name} is longer than 32 bytes. Make one: openssl rand -hex 32")
    return value
