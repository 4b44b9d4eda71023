"""Each wrong parameter gets the code of its RFC; where there is no safe address, a person reads a page."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from smart import commands
from smart.models import AccessToken, AuthorizationRequest, Client
from tests import factories
from tests.smart.app import REDIRECT_URI, App
from tests.smart.error_codes import JSON, PAGE, ROWS, TO_APP, TO_PERSON, Row, text
from tests.smart.signing import asserted, ec, public

KEY = ec()
SECRET = "s" * 43
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SYSTEM = {"authorization_grant_type": "client-credentials", "redirect_uris": [], "scope": "system/Patient.rs"}
SIGNS = {"client_type": "confidential", "jwks": public(KEY)}
KEEPS_SECRET = {"client_type": "confidential", "client_secret": SECRET}
CLIENTS: dict[str, dict[str, object]] = {
    "app": {},
    "other": {},
    "suspended": {},
    "nobody": {},
    "stated": {},
    "pushing": {"require_pushed_authorization_requests": True},
    "dpop": {"dpop_bound_access_tokens": True},
    "secret": KEEPS_SECRET,
    "proved": KEEPS_SECRET,
    "key": SIGNS,
    "internal": SIGNS | {"is_internal": True},
    "service": SIGNS | SYSTEM,
    "unapproved": SIGNS | SYSTEM,
}


class Asker:
    """One client at one endpoint: a request that would do, and then what is wrong with it."""

    def __init__(self, row: Row, app: App, settings) -> None:
        self.row, self.app, self.settings = row, app, settings
        self.client = app.client if row.who == "app" else factories.acme_client(**CLIENTS[row.who])
        if row.who == "service":
            by = factories.create_user("Cora Lind")
            commands.approve_service(self.client, groups=["everyone"], by=by)

    def ask(self) -> HttpResponse:
        right = getattr(self, self.row.endpoint)()
        if self.row.who == "suspended":
            Client.objects.filter(pk=self.client.pk).update(status="suspended")
        sent = {name: value for name, value in (right | self.row.changes).items() if value is not None}
        path = {"refresh": "token", "service": "token", "exchange": "token", "revoke": "revoke_token"}
        url = f"/o/{path.get(self.row.endpoint, self.row.endpoint)}/"
        if self.row.endpoint == "authorize":
            return self.app.browser.get(url, sent)
        if self.row.endpoint == "register":
            return Browser().post(url, json.dumps(sent), "application/json", headers=self.access())
        return Browser().post(url, sent, headers=dict(self.row.headers))

    def me(self) -> dict[str, object]:
        """How the client proves itself, unless that is what is wrong."""
        if self.row.who in ("key", "internal", "service", "unapproved"):
            return asserted(KEY, self.client.client_id)
        known = {"client_id": self.client.client_id} if "Authorization" not in self.row.headers else {}
        return known | ({"client_secret": SECRET} if self.row.who == "proved" else {})

    def authorize(self) -> dict[str, object]:
        return self.app.parameters(client_id=self.client.client_id)

    def par(self) -> dict[str, object]:
        return self.app.parameters() | self.me()

    def token(self) -> dict[str, object]:
        code = self.app.code()
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self.app.verifier,
            **self.me(),
        }

    def refresh(self) -> dict[str, object]:
        given = self.app.connect()["refresh_token"]
        return {"grant_type": "refresh_token", "refresh_token": given, **self.me()}

    def service(self) -> dict[str, object]:
        return {"grant_type": "client_credentials", "scope": "system/Patient.rs", **self.me()}

    def exchange(self) -> dict[str, object]:
        return {
            "grant_type": EXCHANGE,
            "subject_token": self.app.connect()["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "patient/Observation.rs",
            **self.me(),
        }

    def revoke(self) -> dict[str, object]:
        return {"token": "some", **self.me()}

    introspect = revoke

    def register(self) -> dict[str, object]:
        self.settings.DYNAMIC_REGISTRATION = "statement" if self.row.who == "stated" else "token"
        return {"client_name": "S", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none"}

    def access(self) -> dict[str, str]:
        if self.row.who == "nobody":
            return {}
        by = factories.create_user("Cora Lind")
        return {"Authorization": f"Bearer {commands.give_initial_access(by=by, note='')[1]}"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.endpoint}: {row.wrong}")
def test_A4_what_is_wrong_gets_the_code_of_its_rfc(row, app, settings):
    asker = Asker(row, app, settings)
    before = timezone.now()
    response = asker.ask()

    assert response.status_code == row.status, response.content[:300]
    READERS[row.answer](response, row)
    assert not AccessToken.objects.filter(created__gt=before).exclude(token_family__isnull=False).exists()


def _at_the_app(response: HttpResponse, row: Row) -> None:
    assert response["Location"].startswith(REDIRECT_URI)
    told = parse_qs(urlsplit(response["Location"]).query)
    assert told["error"] == [row.code]
    assert told["iss"] == ["http://testserver"]
    assert ("state" in told) is (row.changes.get("state", "") is not None)
    assert not AuthorizationRequest.objects.exists()


def _on_a_page(response: HttpResponse, row: Row) -> None:
    assert "Location" not in response
    assert "Nothing was shared." in response.content.decode()


def _as_json(response: HttpResponse, row: Row) -> None:
    if row.code:
        assert response.json()["error"] == row.code
        assert response["Cache-Control"] == "no-store"
    if row.status == 401:
        assert response["WWW-Authenticate"]


READERS: dict[str, Callable[[HttpResponse, Row], None]] = {
    TO_APP: _at_the_app,
    TO_PERSON: _on_a_page,
    JSON: _as_json,
}


def test_a_person_reads_in_spanish_that_nothing_was_shared(browser):
    browser.cookies["django_language"] = "es"

    page = browser.get("/o/authorize/", {"client_id": "nobody"}).content.decode()

    assert "No se compartió nada" in page


@pytest.mark.parametrize("path", ["token", "par", "revoke_token", "introspect", "register"])
@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_an_endpoint_takes_a_post_and_nothing_else(client, db, settings, path, method):
    settings.DYNAMIC_REGISTRATION = "token"
    assert getattr(client, method)(f"/o/{path}/").status_code == 405


def test_the_page_in_the_docs_is_the_table():
    """To renew it: python -m tests.smart.error_codes"""
    assert PAGE.read_text() == text()
