"""`make demo` from outside: it starts, says what it does, heals itself, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from tests.browser.stack import Stack


def status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_start_says_where_everything_is_and_who_can_sign_in(stack: Stack):
    assert f"{stack.url}/" in stack.output()
    assert f"{stack.client_url}/" in stack.output()
    assert "alice@demo.example" in stack.output()
    assert status(stack.port, "/healthz") == 200
    assert status(stack.client_port, "/") == 200


def test_the_keys_are_the_demos_own_and_private(stack: Stack):
    written = stack.var / "demo.env"

    assert "SECRET_KEY=demo-" in written.read_text()
    assert written.stat().st_mode & 0o077 == 0
    assert (stack.var / "oidc.pem").stat().st_mode & 0o077 == 0


def test_a_second_start_says_in_one_line_that_one_runs(stack: Stack):
    second = stack.run()

    assert second.returncode == 1
    assert (
        second.stderr.strip() == f"Chartkey is running already: {stack.url} (Ctrl-C in its window stops it)"
    )
    assert status(stack.port, "/healthz") == 200


def test_reset_refuses_while_it_runs(stack: Stack):
    assert stack.run("--reset").returncode == 1
    assert (stack.var / "postgres" / "PG_VERSION").exists()


def test_a_program_that_dies_is_started_again(stack: Stack):
    before = stack.pid_of("glucotrack")
    os.kill(before, signal.SIGKILL)

    stack.wait_for("The demo app stopped (SIGKILL); starting it again in 1 s")

    deadline = time.monotonic() + 30
    while stack.pid_of("glucotrack") == before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert psutil.pid_exists(stack.pid_of("glucotrack"))


def test_ctrl_c_leaves_nothing_running(stack: Stack):
    assert len(stack.processes()) > 6  # the supervisor, its five programs, PostgreSQL and Valkey

    assert stack.interrupt() == 0

    assert [process.cmdline() for process in stack.processes()] == []


def test_a_taken_port_is_one_line_with_the_cure(one_stack: Stack):
    if one_stack.is_running():
        one_stack.interrupt()
    with socket.create_server(("127.0.0.1", one_stack.port)):
        refused = one_stack.run()

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Port {one_stack.port} is taken. Try: make demo PORT=")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["80000", "abc", "0"])
def test_a_port_that_is_none_is_one_line_with_the_cure(one_stack: Stack, port: str):
    refused = one_stack.run("--port", port)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"'{port}' is no port")
    assert refused.stderr.count("\n") == 1


def test_a_broken_file_of_ones_own_is_named_once(one_stack: Stack, tmp_path: Path):
    (tmp_path / "bad.json").write_text("not json")
    own = Stack(tmp_path / "var")
    if one_stack.is_running():
        one_stack.interrupt()
    # With tables that are made already, and no records yet: only the file is new.
    if one_stack.var.exists():
        subprocess.run(["cp", "-a", one_stack.var, own.var], check=True)
    (own.var / "seeded.json").unlink(missing_ok=True)
    failed = own.run(*own.ports(), "--data", str(tmp_path / "bad.json"))
    said = failed.stdout + failed.stderr

    assert failed.returncode == 1
    assert said.count("The file is not JSON") == 1
    assert "Traceback" not in said


def test_psql_is_the_superusers(stack: Stack):
    asked = stack.run("--psql", typed="SELECT current_user, current_database()")

    assert "postgres" in asked.stdout
    assert "chartkey" in asked.stdout


def test_the_next_start_recovers_from_a_killed_supervisor(stack: Stack):
    stack.kill()
    assert status(stack.port, "/healthz") == 200  # its children live on

    stack.start()

    assert "The last run was killed; ended what it left: " in stack.output()
    assert "Demo population" not in stack.output()  # seeded once
    assert status(stack.port, "/healthz") == 200
