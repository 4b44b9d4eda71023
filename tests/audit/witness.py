"""A witness of its own process, as it runs on another host."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit import notes
from tests.servers import ROOT

PROGRAM = ROOT / "audit" / "witness" / "chartkey_witness.py"
NAME = "witness.example/w1"


@dataclass
class Running:
    folder: Path
    address: str
    key: str

    @property
    def setting(self) -> str:
        return f"{self.key}={self.address}"


def program(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=True, env=os.environ
    )
    return done.stdout.strip()


@contextmanager
def witness(folder: Path, *, port: int = 0) -> Iterator[Running]:
    secret = str(folder / "witness.key")
    key = program("key", "--key", secret, "--name", NAME)
    process = subprocess.Popen(
        [
            *(sys.executable, PROGRAM, "serve", "--key", secret, "--name", NAME),
            *("--state", str(folder / "state.json"), "--log", str(notes.signer().verifier)),
            *("--port", str(port)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().rsplit(" ", 1)[1].strip()
        yield Running(folder, address, key)
    finally:
        process.kill()
        process.communicate()
