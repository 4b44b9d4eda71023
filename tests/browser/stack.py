"""The whole product as `make demo` runs it, for tests that look at it from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
READY = "Ctrl-C stops everything."
PATIENCE = 180  # seconds until everything answers, on a machine that has other things to do
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")  # not the suite's own DATABASE_URL and friends


@dataclass
class Stack:
    """`python -m config.up` on free ports, with a var/ of its own."""

    var: Path
    port: int = field(default_factory=lambda: free_port())
    client_port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None
    tls: bool = False

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def client_url(self) -> str:
        return f"http://127.0.0.1:{self.client_port}"

    @property
    def output_file(self) -> Path:
        return self.var.with_suffix(".out")

    def output(self) -> str:
        return self.output_file.read_text()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it where it does not run, and wait until it says that everything answers."""
        if self.is_running():
            return
        self.var.mkdir(parents=True, exist_ok=True)
        with self.output_file.open("wb") as output:
            self.process = self._popen(self.ports(), stdout=output, stderr=subprocess.STDOUT)
        self.wait_for(READY)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.output():
            assert self.is_running(), f"the stack ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"not said in {PATIENCE} s: {text}\n{self.output()}"
            time.sleep(0.1)

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        assert self.process
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def kill(self) -> None:
        """kill -9 of the supervisor alone."""
        assert self.process
        self.process.kill()
        self.process.wait(10)

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """One more `python -m config.up` beside it, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "config.up", *(arguments or self.ports())],
            **self._surroundings(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def manage(self, *command: str) -> str:
        """manage.py on the stack's database; what it printed."""
        done = self.run("manage", *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> list[psutil.Process]:
        """Everything that was started for it: by the supervisor, or on data in its var/."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = str(self.var) in " ".join(process.cmdline())
                if ours or process.environ().get("CHARTKEY_VAR") == str(self.var):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def pid_of(self, name: str) -> int:
        return int(json.loads((self.var / "run" / f"{name}.json").read_text())["pid"])

    def ports(self) -> list[str]:
        ports = ["--port", str(self.port), "--app-port", str(self.client_port)]
        return [*ports, *(["--tls"] if self.tls else [])]

    def _surroundings(self) -> dict[str, object]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {"cwd": ROOT, "env": {**kept, "CHARTKEY_VAR": str(self.var)}}

    def _popen(self, arguments: list[str], **outputs: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "config.up", *arguments]
        return subprocess.Popen(command, **self._surroundings(), stdin=subprocess.DEVNULL, **outputs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
