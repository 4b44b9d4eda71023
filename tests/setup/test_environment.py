"""A new installation's environment: complete, named when it is not, and never the demo's in production."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jwcrypto.jwk import JWK

from config import keys
from config.supervisor import demo_env

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = re.compile(r'env\.(?:text|flag|numbers?|listing|path|key)\(\s*"([A-Z_]+)"')
ONLY_IN_THE_DEMO = {"DEMO_CLIENT_URL", "LAKESIDE_URL"}


class Server:
    def url(self, *_: str, **__: str) -> str:
        return "somewhere"


def check_deploy(tmp_path: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **changes)


def run(tmp_path: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` with .env.example filled in, and with `changes`."""
    values = {**keys.fresh_secrets(), "OIDC_KEY_FILE": str(keys.ensure_oidc_key(tmp_path / "oidc.pem"))}
    file = tmp_path / "env"
    file.write_text(keys.filled((ROOT / ".env.example").read_text(), values))
    environment = {"PATH": os.environ["PATH"], "CHARTKEY_ENV_FILE": str(file), **changes}
    command = [sys.executable, "manage.py", *arguments]
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
        ({"AUDIT_SIGNING_KEY": "1f" * 33}, "AUDIT_SIGNING_KEY is longer than 32 bytes"),
        ({"FIELD_KEY": (b"demo" + bytes(range(28))).hex()}, "chartkey.E005"),
        ({"ALLOWED_HOSTS": "*"}, "chartkey.E004"),
        ({"OIDC_KEY_FILE": "nowhere.pem"}, "chartkey.E009"),
        ({"CHARTKEY_MODE": "prod"}, "it takes production, demo or test"),
    ],
)
def test_production_refuses(tmp_path, changes, complaint):
    checked = check_deploy(tmp_path, **changes)

    assert checked.returncode != 0
    assert complaint in checked.stderr


def test_A26_the_compose_file_and_its_proxy_agree_on_whose_address_is_believed(tmp_path):
    compose = (ROOT / "docker-compose.yml").read_text()
    command = "from django.conf import settings; print(settings.ALLAUTH_TRUSTED_PROXY_COUNT)"
    counted = run(tmp_path, "shell", "--no-imports", "-c", command, TRUSTED_PROXY_COUNT="1")

    assert 'TRUSTED_PROXY_COUNT: "1"' in compose
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in (ROOT / "deploy" / "nginx.conf").read_text()
    assert counted.stdout.strip() == "1"


def test_a_missing_variable_names_itself_and_the_example(tmp_path):
    command = [sys.executable, "manage.py", "check"]
    environment = {"PATH": os.environ["PATH"], "CHARTKEY_ENV_FILE": os.devnull}
    failed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert "BASE_URL is not set" in failed.stderr
    assert ".env.example" in failed.stderr


def test_keys_are_different_each_time_and_files_private(tmp_path):
    assert keys.fresh_secrets() != keys.fresh_secrets()
    assert keys.fresh_secrets(demo=True) != keys.fresh_secrets(demo=True)

    key = keys.ensure_oidc_key(tmp_path / "oidc.pem")
    written = key.read_text()

    assert key.stat().st_mode & 0o077 == 0
    assert keys.ensure_oidc_key(key).read_text() == written


def test_every_secret_of_the_demo_says_so_and_is_as_long_as_another(tmp_path):
    environment = demo_env.write(tmp_path, postgres=Server(), valkey=Server(), port=8000, client_port=8001)
    hexadecimal = [environment[name] for name in ("FIELD_KEY", "AUDIT_MAC_KEY", "AUDIT_SIGNING_KEY")]

    assert environment["SECRET_KEY"].startswith("demo-")
    assert {bytes.fromhex(key)[:4] for key in hexadecimal} == {b"demo"}
    assert {len(bytes.fromhex(key)) for key in hexadecimal} == {32}
    pem = Path(environment["OIDC_KEY_FILE"]).read_text()
    assert pem.startswith(keys.DEMO_PEM)
    assert JWK.from_pem(pem.encode()).has_private  # and it signs all the same
