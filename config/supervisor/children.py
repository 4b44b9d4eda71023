"""Child processes of the demo's supervisor: start, log, watch, restart with back-off, stop.

Each child leads a session of its own, so that Ctrl-C reaches the supervisor alone and a whole
group can be ended. A file in var/run names it, so that a later start finds what a killed
supervisor left behind.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
STEADY = 30.0  # a child that ran this long starts with a clean slate
MOST_FAILURES = 5
LOG_LIMIT = 10_000_000  # bytes


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run, and how to know that it answers: ask it, or wait for what it says in its log."""

    name: str
    title: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool] | None = None
    says: str = ""


@dataclass
class Child:
    program: Program
    var: Path
    process: subprocess.Popen[bytes] = field(init=False)  # from start() on
    log_start: int = 0  # where this run's lines begin in the log
    started_at: float = 0.0  # monotonic
    failures: int = 0
    restart_at: float | None = None  # monotonic; set while it waits for its next try

    @property
    def log(self) -> Path:
        return self.var / "log" / f"{self.program.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.var / "run" / f"{self.program.name}.json"

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                self.program.argv,
                cwd=ROOT,
                env=dict(self.program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started_at, self.restart_at = time.monotonic(), None
        remember(self.pid_file, self.process.pid)

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def answers(self) -> bool:
        if self.program.answers:
            return self.program.answers()
        return self.program.says in self.output()

    def output(self) -> str:
        """What it has printed in this run."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def watch(self) -> str | None:
        """Restart it when it died; return a sentence when there is something to say."""
        if self.restart_at is not None:
            if time.monotonic() >= self.restart_at:
                self.start()
            return None
        if self.is_alive():
            return None
        end_group(self.process.pid)  # what the dead leader left running
        self.failures = 1 if time.monotonic() - self.started_at > STEADY else self.failures + 1
        delay = 2 ** (self.failures - 1)
        self.restart_at = time.monotonic() + delay
        ending = _ending(self.process.returncode)
        return f"{self.program.title} stopped ({ending}); starting it again in {delay} s"

    def last_lines(self, count: int = 15) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


def stop(running: Collection[Child], *, hurry: Callable[[], bool] = lambda: False) -> None:
    """SIGTERM to each leader, SIGKILL to each group that is still there after the grace."""
    for child in running:
        child.process.terminate()
    deadline = time.monotonic() + GRACE
    while any(child.is_alive() for child in running) and time.monotonic() < deadline and not hurry():
        time.sleep(0.05)
    for child in running:
        end_group(child.process.pid)
        child.process.wait()
        child.pid_file.unlink(missing_ok=True)


def end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def remember(pid_file: Path, pid: int) -> None:
    """Note a child's pid and start time; a pid alone may be someone else's by the next start."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended at once
        note = {"pid": pid, "created": psutil.Process(pid).create_time()}
        whole = pid_file.with_suffix(".new")  # who reads it meanwhile finds the old one, not a part
        whole.write_text(json.dumps(note))
        whole.replace(pid_file)


def end_left_over(run: Path) -> list[str]:
    """End the children that a killed supervisor left; return the names of those that were running."""
    groups = {pid_file: _left_over(pid_file) for pid_file in sorted(run.glob("*.json"))}
    members = [process for group in groups.values() for process in group]
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(members, timeout=GRACE)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE)
    for pid_file in groups:
        pid_file.unlink()
    return [pid_file.stem for pid_file, group in groups.items() if group]


def _left_over(pid_file: Path) -> list[psutil.Process]:
    """The processes of the group that the file names, where they are ours beyond doubt: of that
    group, working in this folder, and no older than the note."""
    try:
        note = json.loads(pid_file.read_text())
        leader, created = int(note["pid"]), float(note["created"])
    except (ValueError, KeyError, TypeError):
        return []
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if process.pid == leader and abs(process.create_time() - created) > 1:
                return []  # the number was given to another process
            in_group = os.getpgid(process.pid) == leader and process.create_time() >= created - 1
            if in_group and Path(process.cwd()) == ROOT:
                members.append(process)
    return members


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
