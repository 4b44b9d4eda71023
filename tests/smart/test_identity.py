"""OpenID Connect: the id_token, userinfo, and that neither opens a record."""

import json
from datetime import UTC, datetime

import pytest
from django.test import RequestFactory
from jwcrypto import jwk, jwt

from smart.models import AccessToken, Grant
from smart.server import core
from tests import factories


def claims_of(app, id_token: str) -> dict[str, object]:
    keys = jwk.JWKSet.from_json(app.machine.get("/.well-known/jwks.json").content)
    return json.loads(jwt.JWT(jwt=id_token, key=keys, algs=["RS256"]).claims)


def test_the_id_token_tells_who_signed_in(app, alice):
    answer = app.redeem(app.code(asked={"nonce": "a-nonce"})).json()

    claims = claims_of(app, answer["id_token"])
    assert claims["iss"] == "http://testserver"
    assert claims["aud"] == app.client.client_id
    assert claims["sub"] == str(alice.user.pk)
    assert claims["nonce"] == "a-nonce"
    assert claims["fhirUser"] == f"http://testserver/fhir/r4/Patient/{factories.fhir_id(alice)}"
    assert "name" not in claims


def test_auth_time_is_of_this_session(app, alice):
    code = app.code()
    at = Grant.objects.get().authenticated_at
    alice.user.last_login = datetime(2040, 1, 1, tzinfo=UTC)  # somewhere else, later
    alice.user.save()

    claims = claims_of(app, app.redeem(code).json()["id_token"])

    assert claims["auth_time"] == int(at.timestamp())


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {"sub"}),
        ("openid fhirUser", {"sub", "fhirUser"}),
        ("openid profile", {"sub", "name"}),
    ],
)
def test_each_claim_has_its_scope(app, scope, claims):
    app.scope = f"{scope} patient/Patient.rs"
    answer = app.connect()

    assert set(app.userinfo(answer["access_token"]).json()) == claims
    assert claims <= set(claims_of(app, answer["id_token"]))
    assert not ({"fhirUser", "name"} - claims) & set(claims_of(app, answer["id_token"]))


def test_no_openid_no_id_token(app):
    app.scope = "patient/Patient.rs"
    answer = app.connect()

    assert "id_token" not in answer
    assert app.userinfo(answer["access_token"]).status_code == 401


def opens(token: str) -> bool:
    """Whether the toolkit's own check of protected resources lets it in."""
    request = RequestFactory().get("/anything", headers={"Authorization": f"Bearer {token}"})
    return core().verify_request(request, scopes=[])[0]


def test_G1_A7_an_id_token_opens_nothing(app):
    answer = app.connect()

    assert opens(answer["access_token"])
    assert not opens(answer["id_token"])
    assert not opens(answer["refresh_token"])
    assert app.userinfo(answer["id_token"]).status_code == 401
    assert (
        app.machine.get(
            "/fhir/r4/Patient/x", headers={"Authorization": f"Bearer {answer['id_token']}"}
        ).status_code
        == 401
    )


def test_A7_a_token_opens_nothing_outside_its_header(app):
    token = {"access_token": app.connect()["access_token"]}

    assert app.machine.get("/o/userinfo/", token).status_code == 400
    assert app.machine.post("/o/userinfo/", token).status_code == 401
    assert app.machine.get("/o/userinfo/").status_code == 401


def test_G9_an_access_token_shows_scopes_that_have_a_grammar(app):
    app.connect()

    assert set(AccessToken.objects.get().scopes) == set(app.scope.split())


def test_a_refresh_gives_no_second_id_token(app):
    assert "id_token" not in app.refresh(app.connect()["refresh_token"]).json()
