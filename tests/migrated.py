"""A database that all migrations have run on, made once for each set of them; others begin as its copy.

Migrations are most of what a new database costs, and a copy costs next to nothing.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.embedded import GRANTS, OWNER

ROOT = Path(__file__).resolve().parent.parent


def copy(host: str, database: str) -> None:
    """Make `database` afresh, with all tables, the rights of both roles, and no rows.

    `host`: the folder of PostgreSQL's socket.
    """
    with psycopg.connect(host=host, dbname="postgres", user="postgres", autocommit=True) as superuser:
        template = _template(host, superuser)
        superuser.execute(_named("DROP DATABASE IF EXISTS {} WITH (FORCE)", database))
        superuser.execute(_named(f"CREATE DATABASE {{}} TEMPLATE {{}} OWNER {OWNER}", database, template))


def _template(host: str, superuser: psycopg.Connection) -> str:
    """Its name; made where it is not there. xdist's workers come here one after the other."""
    name = f"migrated_{_set_of_migrations()}"
    superuser.execute("SELECT pg_advisory_lock(hashtextextended('migrated', 0))")
    names = [n for (n,) in superuser.execute("SELECT datname FROM pg_database WHERE datname ~ '^migrat'")]
    if name not in names:
        for old in names:
            superuser.execute(_named("DROP DATABASE {} WITH (FORCE)", old))
        superuser.execute(_named(f"CREATE DATABASE {{}} OWNER {OWNER}", "migrating"))
        _migrate(host, "migrating")
        superuser.execute(_named("ALTER DATABASE {} RENAME TO {}", "migrating", name))
    superuser.execute("SELECT pg_advisory_unlock(hashtextextended('migrated', 0))")
    return name


def _migrate(host: str, database: str) -> None:
    with psycopg.connect(host=host, dbname=database, user="postgres", autocommit=True) as superuser:
        superuser.execute(GRANTS)
    url = f"postgresql://{OWNER}@/{database}?host={quote(host, safe='')}"
    command = [sys.executable, "-W", "ignore", "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, check=True)


def _set_of_migrations() -> str:
    """What decides over the schema: our migrations, and by their pins those of others."""
    files = [*sorted(ROOT.glob("*/migrations/*.py")), ROOT / "requirements.txt", ROOT / "config/settings.py"]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _named(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))
