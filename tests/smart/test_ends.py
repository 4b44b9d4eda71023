"""A confidential client proves itself; tokens end, are told about, and are swept."""

import base64
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands as consents
from consent.models import Consent
from smart import sweeping
from smart.models import AccessToken, AuthorizationRequest, Client, Grant, IDToken, RefreshToken
from tests import factories
from tests.smart.app import App, reasons

SECRET = "s" * 43


@pytest.fixture
def server_app(browser: Browser) -> App:
    return App(browser, factories.acme_client(client_type="confidential", client_secret=SECRET))


def basic(client: Client, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()}


def test_a_confidential_client_proves_itself(server_app):
    code = server_app.code()

    assert server_app.redeem(code).json()["error"] == "invalid_client"
    assert server_app.redeem(code, client_secret="wrong").json()["error"] == "invalid_client"
    assert server_app.redeem(code, client_secret=SECRET).status_code == 200


def test_the_secret_may_come_as_basic_authentication_and_is_hashed(server_app):
    body = {
        "grant_type": "authorization_code",
        "code": server_app.code(),
        "redirect_uri": server_app.client.redirect_uris,
        "code_verifier": server_app.verifier,
    }

    response = server_app.post("/o/token/", body, **basic(server_app.client, SECRET))

    assert response.status_code == 200
    assert SECRET not in Client.objects.get().client_secret


# Revocation, RFC 7009


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both(app, alice, kind):
    answer = app.connect()

    response = app.post("/o/revoke_token/", {"token": answer[kind], "client_id": app.client.client_id})

    assert response.status_code == 200
    assert app.userinfo(answer["access_token"]).status_code == 401
    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert AuditEvent.objects.get(type="token:revoke").patient == f"Patient/{alice.pk}"
    assert Consent.objects.get().status == "active"


def test_revoking_what_is_not_ones_own_does_nothing_and_tells_nothing(app):
    answer = app.connect()
    other = factories.acme_client()

    for token in (answer["refresh_token"], "made-up"):
        response = app.post("/o/revoke_token/", {"token": token, "client_id": other.client_id})
        assert (response.status_code, response.content) == (200, b"")

    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_revoking_needs_a_client_and_a_token(app):
    assert app.post("/o/revoke_token/", {"token": "x"}).status_code == 401
    assert app.post("/o/revoke_token/", {"client_id": app.client.client_id}).status_code == 400


# Introspection, RFC 7662


def introspect(app: App, token: str, **body: str):
    return app.post("/o/introspect/", {"token": token} | body, **basic(app.client, SECRET))


def test_introspection_tells_a_client_about_its_own_token(server_app, alice):
    answer = server_app.redeem(server_app.code(), client_secret=SECRET).json()

    facts = introspect(server_app, answer["access_token"]).json()

    assert facts["active"] is True
    assert facts["client_id"] == server_app.client.client_id
    assert facts["scope"] == answer["scope"]
    assert facts["patient"] == factories.fhir_id(alice)
    assert facts["fhirUser"] == f"http://testserver/fhir/r4/Patient/{factories.fhir_id(alice)}"
    assert (facts["iss"], facts["sub"]) == ("http://testserver", str(alice.user.pk))
    assert facts["exp"] > facts["iat"]
    assert introspect(server_app, answer["refresh_token"]).json()["active"] is True


def test_G11_A7_introspection_tells_nothing_else(app, server_app, alice):
    own = server_app.redeem(server_app.code(), client_secret=SECRET).json()
    others = app.connect()
    inactive = b'{"active": false}'

    assert introspect(server_app, others["access_token"]).content == inactive
    assert introspect(server_app, "made-up").content == inactive
    assert introspect(server_app, own["access_token"][:-1]).content == inactive
    assert introspect(server_app, own["id_token"]).content == inactive

    consents.revoke(Consent.objects.get(client=server_app.client), by=alice.user)
    assert introspect(server_app, own["access_token"]).content == inactive


def test_introspection_is_for_confidential_clients_that_prove_themselves(app, server_app):
    for body in ({}, {"client_id": app.client.client_id}, {"client_id": server_app.client.client_id}):
        response = app.post("/o/introspect/", {"token": "x"} | body)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
        assert "Basic" in response["WWW-Authenticate"]
    assert server_app.post("/o/introspect/", {}, **basic(server_app.client, SECRET)).status_code == 400


# Sweeping


def test_sweeping_takes_nothing_that_still_decides(app):
    code = app.code()
    first = app.redeem(code).json()
    second = app.refresh(first["refresh_token"]).json()
    app.page()

    sweeping.sweep()

    assert app.refresh(second["refresh_token"]).status_code == 200
    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert reasons() == ["token.replayed"]


def test_sweeping_takes_what_is_over(app):
    answer = app.connect()
    app.post("/o/revoke_token/", {"token": answer["access_token"], "client_id": app.client.client_id})
    long_ago = timezone.now() - timedelta(days=100)
    AuthorizationRequest.objects.update(created_at=long_ago)
    Grant.objects.update(expires=long_ago)
    RefreshToken.objects.update(revoked=long_ago)
    IDToken.objects.update(expires=long_ago)

    sweeping.sweep()

    for model in (AuthorizationRequest, Grant, RefreshToken, AccessToken, IDToken):
        assert not model.objects.exists()
    assert Consent.objects.exists()
