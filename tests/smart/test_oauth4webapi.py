"""A client library that we did not write: `oauth4webapi`, certified for OpenID Connect and FAPI 2.0.

It runs in Node against the running server, with PKCE, PAR, DPoP and private_key_jwt. It checks what it is
told more strictly than most: issuer, nonce, at_hash, the signature of the id_token.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as site
from django.test import Client as Browser

from fhirproxy import metadata
from tests import factories
from tests.node import CLIENTS, node
from tests.smart.app import REDIRECT_URI, App
from tests.smart.signing import ec, public

__all__ = ["node"]  # a fixture
KEY = ec()
SCOPE = "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"


@pytest.fixture
def base(live_server, settings) -> Iterator[str]:
    settings.BASE_URL = live_server.url
    settings.FHIR_BASE_URL = f"{live_server.url}/fhir/r4"
    settings.OAUTH2_PROVIDER = site.OAUTH2_PROVIDER | {"OIDC_ISS_ENDPOINT": live_server.url}
    metadata._statement.cache_clear()
    yield settings.FHIR_BASE_URL
    metadata._statement.cache_clear()


def run(node: Path, app: App, base: str, **more: object) -> dict:
    """All of flow.mjs; the person says yes."""
    asked = {
        "issuer": base.removesuffix("/fhir/r4"),
        "base": base,
        "client_id": app.client.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPE,
    }
    command = ["node", str(CLIENTS / "flow.mjs"), str(node)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            process.stdin.write(json.dumps(asked | more) + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
            assert said, process.stderr.read()[-1500:]
            page = app.browser.get(json.loads(said)["url"].removeprefix(asked["issuer"]))["Location"]
            callback = app.answer(page)["Location"]
            got, errors = process.communicate(json.dumps({"callback": callback}) + "\n", timeout=60)
        finally:
            process.kill()
    assert got, errors[-1500:]
    return json.loads(got)


@pytest.mark.parametrize(
    ("par", "dpop", "signs"),
    [
        (False, False, False),
        (True, False, False),
        (True, True, False),
        (True, False, True),
        (True, True, True),
    ],
    ids=["pkce", "par", "par-dpop", "par-key", "par-dpop-key"],
)
def test_oauth4webapi_connects_reads_refreshes_and_ends(node, base, transactional_db, par, dpop, signs):
    alice = factories.alice()
    browser = Browser()
    browser.force_login(alice.user)
    kind = {"client_type": "confidential", "jwks": public(KEY)} if signs else {}
    client = factories.acme_client(
        require_pushed_authorization_requests=par, dpop_bound_access_tokens=dpop, **kind
    )
    jwk = json.loads(KEY.export_private()) if signs else None

    got = run(node, App(browser, client), base, par=par, dpop=dpop, jwk=jwk)

    assert (got["sub"], got["patient"]) == (str(alice.user.pk), factories.fhir_id(alice))
    assert got["token_type"] == ("dpop" if dpop else "bearer")
    assert (got["status"], got["entries"]) == (200, 1)
    assert got["after"] == 401
    if signs:
        assert got["introspected"]["active"] is True
        assert ("cnf" in got["introspected"]) is dpop
