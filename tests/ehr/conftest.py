"""Starts EHRs, and stops those that it started."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fhirproxy import upstream
from fhirproxy.models import Source

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds for a process to come up on a busy machine
QUICK = {"connect_timeout": 5, "read_timeout": 5, "deadline": 15}


@dataclass(frozen=True)
class Fake:
    """A running fake EHR, and how to tell it what to do."""

    base: str
    http: urllib3.PoolManager

    def control(self, command: str, said: object = None) -> Any:
        body = json.dumps(said).encode()
        return self.http.request("POST", f"{self.base}/_control/{command}", body=body).json()

    def script(self, *rules: dict[str, Any]) -> None:
        """Each {"match": …, "times": 1, "do": {…}}; see tests.ehr.fake.Rule."""
        self.control("script", list(rules))

    def load(self, shape: str, resources: list[dict[str, Any]], *, exports: bool = False) -> None:
        """`exports`: it has a Bulk Data export of its own, too."""
        self.control("load", {"shape": shape, "resources": resources, "exports": exports})

    def seen(self, path: str = "") -> list[dict[str, Any]]:
        return [request for request in self.control("seen") if path in request["path"]]

    def url(self, shape: str) -> str:
        return f"{self.base}/{shape}/fhir"

    def source(self, shape: str = "plain", **named: Any) -> Source:
        """Not saved: a test that goes through the gate saves it."""
        settings = {"slug": "far", "name": "Far Clinic", "kind": Source.Kind.HTTP, **QUICK}
        return Source(**settings | {"base_url": self.url(shape), "adapter": shape} | named)


def start(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "tests.ehr.fake", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())


def stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def _fake_process() -> Iterator[Fake]:
    process, port = start()
    with urllib3.PoolManager(retries=3) as http:
        yield Fake(f"http://127.0.0.1:{port}", http)
    stop(process)


@pytest.fixture
def fake(_fake_process: Fake) -> Iterator[Fake]:
    """The fake EHR, with nothing in it and nothing known of it."""
    _fake_process.control("reset")
    upstream.forget()
    yield _fake_process
    upstream.forget()


@pytest.fixture(scope="session")
def sekmet() -> Iterator[str]:
    """The base of sekmet-fhir, an independent FHIR R4 server, in an environment of its own under var/."""
    home = Path(os.environ["CHARTKEY_VAR"]) / "sekmet"
    program = home / "env" / "bin" / "sekmet"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # xdist's workers install it once
        there = program.is_file() or bool(uv and _install(uv, home))
    if not there:
        message = "sekmet-fhir could not be installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = home / f"data-{port}"
    data.mkdir(parents=True)
    process = _serve_sekmet(program, data, port)
    yield f"http://127.0.0.1:{port}/fhir"
    stop(process)
    shutil.rmtree(data)


def _install(uv: str, home: Path) -> bool:
    commands = [
        [uv, "venv", "--quiet", "--python", sys.executable, str(home / "env")],
        [uv, "pip", "install", "--quiet", "--python", str(home / "env/bin/python"), "sekmet-fhir==0.1.1"],
    ]
    return all(subprocess.run(command, timeout=300, check=False).returncode == 0 for command in commands)


def _serve_sekmet(program: Path, data: Path, port: int) -> subprocess.Popen[str]:
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    # Its simulator would answer a prescription with a dispense.
    (data / "settings.yaml").write_text("simulator: {enabled: false}\nlog_inbound: false\n")
    environment = os.environ | {"SEKMET_BASE_URL": f"http://127.0.0.1:{port}/fhir"}
    with (data / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=data, env=environment, stdout=log, stderr=log, text=True)
    until = time.monotonic() + PATIENCE
    with urllib3.PoolManager(retries=False) as http:
        while time.monotonic() < until and process.poll() is None:
            try:
                if http.request("GET", f"http://127.0.0.1:{port}/fhir/metadata").status == 200:
                    return process
            except urllib3.exceptions.HTTPError:
                time.sleep(0.2)
    stop(process)
    raise RuntimeError(f"sekmet-fhir did not come up: {(data / 'log.txt').read_text()[-500:]}")
