"""Clients that others wrote for Node: the packages of tests/clients, as their lock file has them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as site

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def node() -> Path:
    """A folder with the packages of tests/clients, as its lock file has them."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("Node and npm are needed where CI is set.")
        pytest.skip("There is no Node here: the clients of tests/clients are not tried.")
    folder = Path(site.VAR) / "npm" / "clients"
    lock = (CLIENTS / "package-lock.json").read_bytes()
    kept = folder / "package-lock.json"
    if not (folder / "node_modules").is_dir() or not kept.is_file() or kept.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(CLIENTS / name, folder / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            if os.environ.get("CI"):
                pytest.fail(done.stderr[-400:])
            pytest.skip("The packages of tests/clients cannot be had here.")
    return folder
