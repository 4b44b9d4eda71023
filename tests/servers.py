"""The suite runs on a real PostgreSQL and a real Valkey, both out of wheels.

They live in `$CHARTKEY_VAR/test` (default `var/test`), are started once and stopped at
the end; a migrated database is kept between runs (tests.migrated), so that only new migrations cost time.
"""

import os
import re
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from config.embedded import OWNER, Postgres, Valkey, start_postgres, start_valkey
from config.keys import ensure_oidc_key

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("CHARTKEY_VAR", ROOT / "var")) / "test"


def _environment(postgres: Postgres, valkey: Valkey) -> dict[str, str]:
    return {
        "CHARTKEY_ENV_FILE": os.devnull,
        "CHARTKEY_MODE": "test",
        "CHARTKEY_VAR": str(VAR),
        "BASE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
        "DATABASE_URL": postgres.url(OWNER),
        "REDIS_URL": valkey.url(),
        "CELERY_BROKER_URL": valkey.url(scheme="redis+socket"),
        "SECRET_KEY": "demo-test-" + "x" * 50,
        "FIELD_KEY": "11" * 32,
        "AUDIT_MAC_KEY": "22" * 32,
        "AUDIT_SIGNING_KEY": "33" * 32,
        "OIDC_KEY_FILE": str(ensure_oidc_key(VAR / "oidc.pem")),
        "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    }


# A plugin (-p tests.servers), since pytest-django reads the settings before any conftest. The servers
# start in the controlling process; xdist's workers find them in the environment.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _postgres = start_postgres(VAR / "postgres")
    _valkey = start_valkey(VAR / "valkey")
    os.environ.update(_environment(_postgres, _valkey))

    def pytest_unconfigure(config: pytest.Config) -> None:
        _valkey.stop()
        _postgres.stop()

else:  # a database of the cache for each worker: what one keeps or clears is not another's
    _number = 1 + int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    for _name in ("REDIS_URL", "CELERY_BROKER_URL"):
        os.environ[_name] = re.sub(r"(db|virtual_host)=0$", rf"\1={_number}", os.environ[_name])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Files go to the workers one by one; the tests of tests/browser stay together, on its one stack.
    (xdist's own loadgroup does not work with pytest 9.2.)"""
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/browser" if file.startswith("tests/browser/") else file
