"""Installing the packages: Ctrl-C is a sentence, and pip does not live on."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

PROGRAM = Path(__file__).resolve().parents[2] / "deploy" / "venv.py"
A_PIP_THAT_TAKES_ITS_TIME = """#!/bin/sh
[ "$1" = -c ] && exit 0
echo $$ > pip.pid
echo "Installing collected packages"
exec sleep 600
"""


def _hear_ctrl_c() -> None:
    """A run in the background of a shell passes on that Ctrl-C is not for it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_while_packages_install_is_one_sentence_and_ends_pip(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(A_PIP_THAT_TAKES_ITS_TIME)
    python.chmod(0o755)
    (tmp_path / "requirements.txt").write_text("nothing==1\n")
    installing = subprocess.Popen(
        [sys.executable, str(PROGRAM), "requirements.txt", "stamp"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_ctrl_c,
    )
    assert installing.stdout
    assert "writing them" in installing.stdout.readline()
    installing.send_signal(signal.SIGINT)
    _, said = installing.communicate(timeout=30)

    assert installing.returncode == 1
    assert said.strip() == "Stopped. Nothing is broken: the same command goes on where this one stopped."
    assert not _is_alive(int((tmp_path / "pip.pid").read_text()))
    assert not (tmp_path / "stamp").exists()


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
