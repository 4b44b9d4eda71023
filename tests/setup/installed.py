"""A clinic's installation as docs/operations.md has it: two roles, a migrated and empty database, and
programs that run as production does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from config import keys
from config.embedded import APP
from tests import migrated

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Installation:
    host: str  # folder of PostgreSQL's socket
    database: str
    environment: dict[str, str]

    def url(self, role: str) -> str:
        return f"postgresql://{role}@/{self.database}?host={quote(self.host, safe='')}"

    def run(self, *command: str, role: str = APP, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run one of the site's programs to its end, or end it after a minute."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**self.environment, "DATABASE_URL": self.url(role), **changes},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextmanager
    def connected_as(self, role: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(role), autocommit=True) as connection:
            yield connection


def install(host: str, database: str, redis_url: str, broker_url: str, folder: Path) -> Installation:
    environment = {
        **{"PATH": os.environ["PATH"], "CHARTKEY_ENV_FILE": str(folder / "env"), "DATABASE_POOL": "0"},
        **{"CHARTKEY_VAR": str(folder), "REDIS_URL": redis_url, "CELERY_BROKER_URL": broker_url},
    }
    values = {**keys.fresh_secrets(), "OIDC_KEY_FILE": str(keys.ensure_oidc_key(folder / "oidc.pem"))}
    (folder / "env").write_text(keys.filled((ROOT / ".env.example").read_text(), values))
    installation = Installation(host, database, environment)
    migrated.copy(host, database)
    return installation
