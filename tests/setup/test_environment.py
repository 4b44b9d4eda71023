"""A new installation's environment: complete, named when it is not, and never the demo's in production."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import keys

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = re.compile(r'env\.(?:text|flag|number|listing|path|key)\(\s*"([A-Z_]+)"')
ONLY_IN_THE_DEMO = {"DEMO_CLIENT_URL"}


def check_deploy(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` with .env.example filled in, and with `changes`."""
    values = {**keys.fresh_secrets(), "OIDC_KEY_FILE": str(keys.ensure_oidc_key(tmp_path / "oidc.pem"))}
    file = tmp_path / "env"
    file.write_text(keys.filled((ROOT / ".env.example").read_text(), values))
    environment = {"PATH": os.environ["PATH"], "CHARTKEY_ENV_FILE": str(file), **changes}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_example_names_every_variable_that_settings_read():
    read = set(READERS.findall((ROOT / "config" / "settings.py").read_text()))
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))

    assert read - named == ONLY_IN_THE_DEMO


def test_production_starts_with_the_example_and_fresh_secrets(tmp_path):
    checked = check_deploy(tmp_path)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"SECRET_KEY": "demo-" + "k" * 60}, "chartkey.E002"),
        ({"SECRET_KEY": "short"}, "chartkey.E002"),
        ({"BASE_URL": "http://records.clinic.example"}, "chartkey.E003"),
        ({"FIELD_KEY": "11"}, "FIELD_KEY is shorter than 32 bytes"),
        ({"CHARTKEY_MODE": "prod"}, "it takes production, demo or test"),
    ],
)
def test_production_refuses(tmp_path, changes, complaint):
    checked = check_deploy(tmp_path, **changes)

    assert checked.returncode != 0
    assert complaint in checked.stderr


def test_a_missing_variable_names_itself_and_the_example(tmp_path):
    command = [sys.executable, "manage.py", "check"]
    environment = {"PATH": os.environ["PATH"], "CHARTKEY_ENV_FILE": os.devnull}
    failed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert "BASE_URL is not set" in failed.stderr
    assert ".env.example" in failed.stderr


def test_keys_are_different_each_time_and_files_private(tmp_path):
    assert keys.fresh_secrets() != keys.fresh_secrets()

    key = keys.ensure_oidc_key(tmp_path / "oidc.pem")
    written = key.read_text()

    assert key.stat().st_mode & 0o077 == 0
    assert keys.ensure_oidc_key(key).read_text() == written
