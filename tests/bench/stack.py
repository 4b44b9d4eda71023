"""The servers and programs that are measured: PostgreSQL and Valkey out of wheels, the web server and
the audit sequencer, each with the command line and the environment that `make demo` gives it.

Databases are thrown away: each is a copy of one that was only migrated, and new in every run.
"""

import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from config.embedded import APP, OWNER, Postgres, Valkey, start_postgres, start_valkey
from config.supervisor import children, demo_env, stamps
from config.supervisor.children import ROOT, Child, Program
from config.supervisor.programs import programs, wait_until
from tests.bench import cpu

VAR = Path(os.environ.get("CHARTKEY_VAR") or ROOT / "var").resolve() / "bench"
MIGRATED, DATABASE = "chartkey", "bench"
PATIENCE = 60.0  # seconds for one program to answer


@dataclass
class Stack:
    var: Path
    postgres: Postgres
    valkey: Valkey
    port: int
    environment: dict[str, str]
    running: dict[str, Child] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Those of `web` and `sequencer` that do not run. Raises RuntimeError where one does not come up."""
        names = tuple(name for name in names if name not in self.running)
        for name in names:
            child = Child(self._program(name), self.var)
            child.start()
            self.running[name] = child
        for name in names:
            child = self.running[name]
            if not wait_until(child.answers, seconds=PATIENCE, given_up=lambda c=child: not c.is_alive()):
                raise RuntimeError(f"{name} does not answer:\n{child.last_lines()}")

    def stop(self, *names: str) -> None:
        children.stop([self.running.pop(name) for name in names or list(self.running)])

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of each process tree that serves."""
        roots = {name: child.process.pid for name, child in self.running.items()}
        roots |= {"postgres": self.postgres.server.get_postmaster_info().pid, "valkey": self.valkey.pid}
        return {name: cpu.of_tree(pid) for name, pid in roots.items()}

    def fresh_database(self, name: str) -> None:
        """A migrated database without a row of ours; one of that name is dropped."""
        with psycopg.connect(self.postgres.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{MIGRATED}" OWNER {OWNER}')

    def fresh_log(self) -> None:
        """Begin anew: programs stop, and neither database nor anchors nor journals know of other parts."""
        self.stop()
        shutil.rmtree(self.var / "audit", ignore_errors=True)
        self.fresh_database(DATABASE)

    def drop_database(self, name: str) -> None:
        with psycopg.connect(self.postgres.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def superuser(self, database: str = DATABASE) -> psycopg.Connection:
        return psycopg.connect(self.postgres.url("postgres", database), autocommit=True)

    def _program(self, name: str) -> Program:
        wanted = programs(self.environment, port=self.port, client_port=self.port)
        program = next(p for p in wanted if p.name == name)
        if name != "web":
            return program
        return replace(program, argv=[*program.argv[:-1], "tests.bench.wsgi:application"])


@contextlib.contextmanager
def started(var: Path = VAR) -> Iterator[Stack]:
    """PostgreSQL and Valkey up, and an empty database; web and sequencer are for whoever needs them."""
    var.mkdir(parents=True, exist_ok=True)
    (var / "static").mkdir(exist_ok=True)
    children.end_left_over(var / "run")
    postgres, valkey = start_postgres(var / "postgres", MIGRATED), start_valkey(var / "valkey")
    port = _free_port()
    stack = Stack(var, postgres, valkey, port, {})
    try:
        values = demo_env.write(var, postgres=postgres, valkey=valkey, port=port, client_port=port)
        stack.environment = {
            **os.environ,
            **values,
            "DATABASE_URL": postgres.url(APP, DATABASE),
            "CHARTKEY_ENV_FILE": os.devnull,
            "BUDGET_FACTOR": "1000000",  # budgets are counted, and none is used up
            "PYTHONUNBUFFERED": "1",
        }
        _migrate(stack)
        stack.fresh_log()
        yield stack
    finally:
        stack.stop()
        valkey.stop()
        postgres.stop()


def _migrate(stack: Stack) -> None:
    """Bring the database that the others are copied from up to date; one that never was is made anew."""
    if not stamps.is_stale(stack.var / "stamps.json", "migrate"):
        return
    # Migrations may be squashed until the first release: a database of an earlier state leads nowhere.
    stack.drop_database(MIGRATED)
    start_postgres(stack.var / "postgres", MIGRATED)
    program = Program(
        name="migrate",
        title="migrate",
        argv=[sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        environment={**stack.environment, "DATABASE_URL": stack.postgres.url(OWNER), "DATABASE_POOL": "0"},
    )
    child = Child(program, stack.var)
    child.start()
    if child.process.wait():
        raise RuntimeError(f"migrate failed:\n{child.last_lines()}")
    children.stop([child])
    stamps.renew(stack.var / "stamps.json", "migrate")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
