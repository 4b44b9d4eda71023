"""Pushed authorization requests, RFC 9126."""

from datetime import timedelta

import pytest
from django.utils import timezone

from smart.models import AuthorizationRequest, Grant, PushedRequest
from tests import factories
from tests.smart.app import App, answer_of
from tests.smart.signing import asserted, ec, proof, public

PAR = "http://testserver/o/par/"


def push(app: App, *, dpop: str = "", **changes: str | None):
    return app.post("/o/par/", app.parameters(**changes), **({"DPoP": dpop} if dpop else {}))


def follow(app: App, uri: str, **more: str):
    return app.browser.get("/o/authorize/", {"client_id": app.client.client_id, "request_uri": uri} | more)


def test_a_pushed_request_goes_all_the_way(app):
    response = push(app)
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    pushed = response.json()
    assert 0 < pushed["expires_in"] <= 600

    page = follow(app, pushed["request_uri"])["Location"]
    code = answer_of(app.answer(page))["code"]

    assert app.redeem(code).status_code == 200


def test_what_was_pushed_counts_and_nothing_beside_it(app):
    uri = push(app, scope="patient/Patient.rs").json()["request_uri"]

    follow(app, uri, scope="patient/*.cruds", redirect_uri="https://evil.example/", state="other")

    kept = AuthorizationRequest.objects.get().parameters
    assert (kept["scope"], kept["state"]) == ("patient/Patient.rs", "a-state-of-the-app")


def test_A4_a_request_uri_is_used_once(app):
    uri = push(app).json()["request_uri"]
    assert follow(app, uri).status_code == 302

    again = follow(app, uri)

    assert again.status_code == 400
    assert "Location" not in again


def test_A4_a_request_uri_is_for_its_client_and_for_a_short_time(app):
    other = App(app.browser, factories.acme_client())
    assert follow(other, push(app).json()["request_uri"]).status_code == 400

    uri = push(app).json()["request_uri"]
    PushedRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert follow(app, uri).status_code == 400
    assert follow(app, "urn:ietf:params:oauth:request_uri:made-up").status_code == 400


@pytest.mark.parametrize(
    ("changes", "error", "status"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request", 400),
        ({"redirect_uri": None}, "invalid_request", 400),
        ({"client_id": "nobody"}, "invalid_client", 401),
        ({"client_id": None}, "invalid_client", 401),
        ({"response_type": "token"}, "unsupported_response_type", 400),
        ({"response_type": None}, "invalid_request", 400),
        ({"code_challenge_method": "plain"}, "invalid_request", 400),
        ({"code_challenge": None}, "invalid_request", 400),
        ({"aud": "https://other.example"}, "invalid_request", 400),
        ({"scope": "nonsense"}, "invalid_scope", 400),
        ({"state": None}, "invalid_request", 400),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request", 400),
        ({"request": "x.y.z"}, "request_not_supported", 400),
        ({"resource": "https://other.example"}, "invalid_target", 400),
        ({"state": "a\x00b"}, "invalid_request", 400),
    ],
)
def test_A3_a_push_that_is_wrong_gets_its_error(app, changes, error, status):
    response = push(app, **changes)

    assert (response.json()["error"], response.status_code) == (error, status)
    assert not PushedRequest.objects.exists()


def test_a_client_can_be_held_to_it(browser):
    app = App(browser, factories.acme_client(require_pushed_authorization_requests=True))

    assert app.ask().status_code == 400
    assert not AuthorizationRequest.objects.exists()
    assert follow(app, push(app).json()["request_uri"]).status_code == 302


def test_a_confidential_client_proves_itself_first(browser):
    key = ec()
    app = App(browser, factories.acme_client(client_type="confidential", jwks=public(key)))

    assert push(app).json()["error"] == "invalid_client"
    assert push(app, **asserted(key, app.client.client_id)).status_code == 201
    assert "client_assertion" not in PushedRequest.objects.get().parameters


def test_A1_a_code_that_was_bound_by_the_push_is_for_the_holder_of_the_key(app):
    key, other = ec(crv="P-256"), ec(crv="P-256")
    uri = push(app, dpop=proof(key, url=PAR)).json()["request_uri"]
    code = answer_of(app.answer(follow(app, uri)["Location"]))["code"]
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.client.redirect_uris,
        "client_id": app.client.client_id,
        "code_verifier": app.verifier,
    }

    assert Grant.objects.get().jkt == key.thumbprint()
    assert app.post("/o/token/", body).json()["error"] == "invalid_grant"
    assert app.post("/o/token/", body, DPoP=proof(other)).json()["error"] == "invalid_grant"
    assert app.post("/o/token/", body, DPoP=proof(key)).status_code == 200


def test_A1_dpop_jkt_binds_a_code_without_a_push(app):
    key = ec(crv="P-256")
    page = app.page(dpop_jkt=key.thumbprint())
    code = answer_of(app.answer(page))["code"]

    assert app.redeem(code).json()["error"] == "invalid_grant"


def test_a_push_with_a_proof_of_another_key_than_it_names_is_refused(app):
    response = push(app, dpop=proof(ec(crv="P-256"), url=PAR), dpop_jkt="A" * 43)

    assert response.json()["error"] == "invalid_dpop_proof"
