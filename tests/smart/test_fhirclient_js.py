"""A client that we did not write, in a real browser: npm's `fhirclient`, as apps on the web use it.

It is launched from outside and from our own pages, with PKCE, and reads through the gate across origins.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings as site
from django.test import Client as Browser
from playwright.sync_api import Page, expect, sync_playwright

from fhirproxy import metadata
from tests import factories
from tests.browser.conftest import FLAGS, _chromium

PACKAGE = "fhirclient@2.6.3"
# Of the packed file. Its own bundle is all that is needed: what it is built with is not installed.
SHA512 = "CirZixcwWelbkIXxpxlNQx5+ZdJirl6F1s4y4yvA1X7hHAkr9n99aVHaMi0wX+97nATjKQ65X6NB5as/wZoJzg=="
BUNDLE = "package/build/fhir-client.min.js"
OFFERED = "openid fhirUser online_access patient/Patient.rs patient/Observation.rs"
LAUNCH = """<!doctype html><title>Launch</title><script src="fhir-client.js"></script><script>
FHIR.oauth2.authorize({clientId: "CLIENT", scope: "SCOPE", redirectUri: "app.html", pkceMode: "required",
  iss: new URLSearchParams(location.search).get("iss") || "BASE"});
</script>"""
APP = """<!doctype html><title>App</title><pre id="out"></pre><script src="fhir-client.js"></script><script>
const say = what => document.getElementById("out").textContent = JSON.stringify(what);
FHIR.oauth2.ready().then(async client => {
  const patient = await client.patient.read();
  const results = await client.patient.request("Observation", {flat: true});
  const before = client.state.tokenResponse.access_token;
  await client.refresh();
  const again = await client.patient.read();
  const told = client.state.tokenResponse;
  say({name: patient.name[0].family, results: results.length, user: client.user.resourceType,
    again: again.id, renewed: told.access_token !== before, encounter: client.encounter.id,
    banner: told.need_patient_banner, style: told.smart_style_url, scope: told.scope});
}).catch(error => say({error: String(error)}));
</script>"""


def _unavailable(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def bundle() -> bytes:
    """The browser bundle of the package, out of the file that its digest names."""
    packed = Path(site.VAR) / "npm" / f"{PACKAGE.replace('@', '-')}.tgz"
    if not packed.is_file():
        if shutil.which("npm") is None:
            _unavailable("There is no npm here: fhirclient is not tried in a browser.")
        packed.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", PACKAGE, "--pack-destination", str(packed.parent)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            _unavailable(f"{PACKAGE} cannot be had here.")
    content = packed.read_bytes()
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == SHA512
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile(BUNDLE)
        assert member
        return member.read()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: the folder's pages are no news."""


@pytest.fixture
def folder(tmp_path: Path, bundle: bytes) -> Path:
    (tmp_path / "fhir-client.js").write_bytes(bundle)
    (tmp_path / "app.html").write_text(APP)
    return tmp_path


@pytest.fixture
def origin(folder: Path) -> Iterator[str]:
    """Where the app lives: another origin than ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def base(live_server, settings) -> Iterator[str]:
    settings.BASE_URL = live_server.url
    settings.FHIR_BASE_URL = f"{live_server.url}/fhir/r4"
    settings.OAUTH2_PROVIDER = site.OAUTH2_PROVIDER | {"OIDC_ISS_ENDPOINT": live_server.url}
    metadata._statement.cache_clear()
    yield settings.FHIR_BASE_URL
    metadata._statement.cache_clear()


@contextmanager
def phone(user, base: str) -> Iterator[Page]:
    """A browser in which this person is signed in. Inside, the database is the server's alone:
    playwright's event loop would keep this thread from it."""
    program, signed_in = _chromium(), Browser()
    signed_in.force_login(user)
    cookie = signed_in.cookies[site.SESSION_COOKIE_NAME]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        context = browser.new_context(viewport={"width": 390, "height": 844})
        context.set_default_timeout(20_000)
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site_of(base)}])
        yield context.new_page()
        browser.close()


def site_of(base: str) -> str:
    return base.removesuffix("/fhir/r4")


def register(folder: Path, origin: str, base: str, scope: str):
    client = factories.acme_client(redirect_uris=[f"{origin}/app.html"])
    client.launch_uri = f"{origin}/launch.html"
    client.save()
    text = LAUNCH.replace("CLIENT", client.client_id).replace("SCOPE", scope).replace("BASE", base)
    (folder / "launch.html").write_text(text)
    return client


def told(page: Page) -> dict:
    out = page.locator("#out")
    expect(out).not_to_be_empty()
    got = json.loads(out.inner_text())
    assert "error" not in got, got
    return got


def test_fhirclient_js_launched_from_outside(transactional_db, folder, origin, base):
    alice = factories.alice()
    register(folder, origin, base, f"launch/patient {OFFERED}")
    with phone(alice.user, base) as page:
        page.goto(f"{origin}/launch.html")
        page.get_by_label("Share all of these").check()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Share with Acme").click()

        got = told(page)
    assert (got["name"], got["results"], got["user"]) == ("Moreno", 1, "Patient"), got
    assert got["again"] == factories.fhir_id(alice)
    assert got["renewed"] is True


def test_fhirclient_js_opened_by_a_patient_from_the_portal(transactional_db, folder, origin, base):
    alice = factories.alice()
    client = register(folder, origin, base, f"launch {OFFERED}")
    with phone(alice.user, base) as page:
        page.goto(f"{site_of(base)}/apps/open/?app={client.client_id}")
        page.get_by_role("button", name="Open Acme").click()
        page.get_by_label("Share all of these").check()
        page.get_by_role("button", name="Share with Acme").click()

        got = told(page)
    assert (got["name"], got["banner"]) == ("Moreno", True), got
    assert "launch" in got["scope"].split()
    assert got["style"].endswith("/.well-known/smart-style.json")


def test_fhirclient_js_opened_by_a_clinician_for_a_visit(transactional_db, folder, origin, base):
    alice = factories.alice()
    visit = f"{factories.fhir_id(alice)}-visit"
    factories.load_records(
        {
            "resourceType": "Encounter",
            "id": visit,
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [{"text": "Yearly visit"}],
            "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
            "period": {"start": "2026-03-02T08:00:00-05:00"},
        }
    )
    register(folder, origin, base, f"launch {OFFERED.replace('patient/', 'user/')}")
    with phone(factories.dr_osei(treats=[alice]), base) as page:
        page.goto(f"{site_of(base)}/review/open/")
        page.get_by_role("link", name="Alice Moreno").click()
        page.get_by_label("Acme").check()
        page.get_by_label("Yearly visit").check()
        page.get_by_role("button", name="Open the app").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Open in Acme").click()

        got = told(page)
    assert (got["name"], got["user"], got["encounter"]) == ("Moreno", "Practitioner", visit), got
