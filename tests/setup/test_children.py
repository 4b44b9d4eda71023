"""Child processes: what they say, how they end, and whom a later start may end."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil

from config.supervisor import children
from config.supervisor.children import ROOT, Child, Program

SLEEP = "import time; time.sleep(60)"


def start(var: Path, code: str, name: str = "sleeper", says: str = "") -> Child:
    program = Program(name=name, title="It", argv=[sys.executable, "-c", code], environment={}, says=says)
    child = Child(program, var)
    child.start()
    return child


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stop_ends_a_child_and_what_it_started(tmp_path):
    code = f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
    child = start(tmp_path, code + "print(p.pid, flush=True); time.sleep(60)")
    wait_for(lambda: child.output().strip().isdigit())
    grandchild = psutil.Process(int(child.output()))

    children.stop([child])

    assert not child.is_alive()
    wait_for(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)
    assert not child.pid_file.exists()


def test_a_child_answers_by_what_it_says_in_this_run_only(tmp_path):
    first = start(tmp_path, "print('ready')", says="ready")
    wait_for(first.answers)
    children.stop([first])

    second = start(tmp_path, SLEEP, says="ready")

    assert not second.answers()
    children.stop([second])


def test_a_dead_child_waits_longer_each_time(tmp_path):
    child = start(tmp_path, "raise SystemExit(3)")
    news = []
    for _ in range(2):
        wait_for(lambda: not child.is_alive())
        news.append(child.watch())
        wait_for(lambda: child.watch() is None and child.restart_at is None)

    assert news == [f"It stopped (exit code 3); starting it again in {delay} s" for delay in (1, 2)]
    children.stop([child])


def test_left_over_children_are_ended(tmp_path):
    child = start(tmp_path, SLEEP)

    assert children.end_left_over(tmp_path / "run") == ["sleeper"]

    assert not child.is_alive()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_that_got_a_dead_childs_number_is_left_alone(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], cwd=ROOT, start_new_session=True)
    note = {"pid": stranger.pid, "created": psutil.Process(stranger.pid).create_time() - 3600}
    (tmp_path / "web.json").write_text(json.dumps(note))

    assert children.end_left_over(tmp_path) == []

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_damaged_note_ends_nobody(tmp_path):
    (tmp_path / "web.json").write_text("{")

    assert children.end_left_over(tmp_path) == []
