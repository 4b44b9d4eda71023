"""var/demo.env: the whole environment of `make demo`, made on the first run.

Secrets stay from run to run; addresses are written anew at each start, since ports and
folders may have changed.
"""

from pathlib import Path

from config import keys
from config.embedded import APP, OWNER, Postgres, Valkey

HEADER = "# Written by make demo. For this demo only: production refuses these keys.\n"


def write(
    var: Path,
    *,
    postgres: Postgres,
    valkey: Valkey,
    port: int,
    client_port: int,
    ehr_port: int = 8002,
    tls: bool = False,
) -> dict[str, str]:
    """Bring var/demo.env (mode 0600) up to date and return it as a dict. `tls`: the portal by https."""
    path = var / "demo.env"
    values = {
        **_secrets(path),
        "CHARTKEY_MODE": "demo",
        "CHARTKEY_VAR": str(var),
        "BASE_URL": f"http{'s' if tls else ''}://127.0.0.1:{port}",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DEMO_CLIENT_URL": f"http://127.0.0.1:{client_port}",
        "LAKESIDE_URL": f"http://127.0.0.1:{ehr_port}/lakeside/fhir",
        "DATABASE_URL": postgres.url(APP),
        "OWNER_DATABASE_URL": postgres.url(OWNER),
        "REDIS_URL": valkey.url(),
        "CELERY_BROKER_URL": valkey.url(scheme="redis+socket"),
        "OIDC_KEY_FILE": str(keys.ensure_oidc_key(var / "oidc.pem", demo=True)),
    }
    keys.write_private(path, HEADER + "".join(f"{name}={value}\n" for name, value in values.items()))
    return values


def read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line for line in path.read_text().splitlines() if "=" in line and line[0] != "#")
    return dict(line.split("=", 1) for line in lines)


def _secrets(path: Path) -> dict[str, str]:
    kept = read(path)
    return {name: kept.get(name, value) for name, value in keys.fresh_secrets(demo=True).items()}
