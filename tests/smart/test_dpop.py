"""Tokens that only the holder of a key can use (RFC 9449), at the token endpoint and at the records."""

import json
import time

import pytest

from audit.models import AuditEvent
from consent import bearers
from smart.models import AccessToken
from tests import factories
from tests.smart.app import App
from tests.smart.signing import asserted, ec, proof, public

KEY = ec(crv="P-256")
OTHER = ec(crv="P-256")
JKT = KEY.thumbprint()
RECORDS = "http://testserver/fhir/r4/Observation"
USERINFO = "http://testserver/o/userinfo/"


def redeem(app: App, code: str, made: str, **changes: str):
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.client.redirect_uris,
        "client_id": app.client.client_id,
        "code_verifier": app.verifier,
    }
    return app.post("/o/token/", body | changes, DPoP=made)


def refresh(app: App, token: str, **headers: str):
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": app.client.client_id}
    return app.post("/o/token/", body, **headers)


@pytest.fixture
def bound(app) -> dict[str, str]:
    """An app's tokens, bound to KEY."""
    response = redeem(app, app.code(), proof(KEY))
    assert response.status_code == 200, response.content
    return response.json()


def read(app: App, token: str, made: str | None, scheme: str = "DPoP", **parameters: str):
    headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": made} if made else {})
    return app.machine.get("/fhir/r4/Observation", parameters, headers=headers)


def test_a_bound_token_says_so(app, bound):
    assert bound["token_type"] == "DPoP"
    assert AccessToken.objects.get().jkt == JKT


def test_the_holder_of_the_key_reads(app, bound):
    token = bound["access_token"]

    assert read(app, token, proof(KEY, "GET", RECORDS, token=token)).status_code == 200
    made = proof(KEY, "GET", f"{RECORDS}?_count=1", token=token)
    assert read(app, token, made, _count="1").status_code == 200
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof(KEY, "GET", USERINFO, token=token)}
    assert app.machine.get("/o/userinfo/", headers=headers).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_A7_a_bound_token_is_no_bearer_token(app, bound, scheme):
    response = read(app, bound["access_token"], None, scheme)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('DPoP error="invalid_token"')
    assert app.userinfo(bound["access_token"]).status_code == 401
    made = proof(KEY, "GET", RECORDS, token=bound["access_token"])
    assert read(app, bound["access_token"], made, scheme).status_code == 401
    refused = AuditEvent.objects.filter(type="record:refuse").first()
    assert refused.patient == f"Patient/{AccessToken.objects.get().patient_id}"


def test_A7_a_stolen_token_and_a_key_of_the_thief_open_nothing(app, bound):
    token = bound["access_token"]

    assert read(app, token, proof(OTHER, "GET", RECORDS, token=token)).status_code == 401


def test_A7_a_bearer_token_does_not_become_a_bound_one(app):
    token = app.connect()["access_token"]

    assert read(app, token, proof(KEY, "GET", RECORDS, token=token)).status_code == 401
    assert read(app, token, None, "Bearer").status_code == 200


WRONG = [
    {"method": "POST"},
    {"url": "http://testserver/fhir/r4/Condition"},
    {"url": "https://testserver/fhir/r4/Observation"},
    {"token": "another"},
    {"token": ""},
    {"late": -600},
    {"late": 600},
    {"iat": "now"},
    {"jti": None},
    {"jti": 5},
    {"header": {"typ": "JWT"}},
    {"header": {"jwk": None}},
    {"header": {"jwk": "x"}},
    {"header": {"jwk": json.loads(KEY.export_private())}},
    {"header": {"jwk": json.loads(OTHER.export_public())}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: "-".join(wrong))
def test_A7_a_proof_that_is_not_for_this_request_opens_nothing(app, bound, wrong):
    given = {"method": "GET", "url": RECORDS, "token": bound["access_token"]} | wrong
    if late := given.pop("late", 0):  # by the clock of the test, not by that of its collection
        given["iat"] = int(time.time()) + late

    assert read(app, bound["access_token"], proof(KEY, **given)).status_code == 401


def test_A7_a_proof_is_taken_once(app, bound):
    made = proof(KEY, "GET", RECORDS, token=bound["access_token"])

    assert read(app, bound["access_token"], made).status_code == 200
    assert read(app, bound["access_token"], made).status_code == 401


@pytest.mark.parametrize(
    ("key", "token", "code"),
    [(KEY, "another", "invalid_dpop_proof"), (None, "", "invalid_dpop_proof"), (OTHER, "", "invalid_token")],
)
def test_a_bad_proof_and_a_token_of_another_key_have_the_codes_of_RFC_9449(app, bound, key, token, code):
    value = bound["access_token"]
    for url in (RECORDS, USERINFO):
        made = {"DPoP": proof(key, "GET", url, token=token or value)} if key else {}
        answer = app.machine.get(
            url.removeprefix("http://testserver"), headers={"Authorization": f"DPoP {value}"} | made
        )

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith(f'DPoP error="{code}", algs="')


def test_a_read_with_a_proof_is_as_few_statements_as_one_without(app, bound, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert bearers.from_bearer(bound["access_token"]).jkt == JKT


# At the token endpoint


@pytest.mark.parametrize(
    "made",
    [
        "junk",
        "a.b.c",
        "x" * 20000,
        proof(KEY, "GET"),
        proof(KEY, url="http://testserver/o/par/"),
        proof(KEY, iat=int(time.time()) - 3600),
        proof(KEY, header={"typ": "JWT"}),
        proof(KEY, header={"jwk": json.loads(OTHER.export_public())}),
        "e30.e30.e30",
    ],
    ids=range(9),
)
def test_A7_a_bad_proof_gets_no_tokens(app, made):
    response = redeem(app, app.code(), made)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_dpop_proof")
    assert not AccessToken.objects.exists()


def test_A7_a_proof_is_taken_once_at_the_token_endpoint(app):
    made = proof(KEY)
    assert redeem(app, app.code(), made).status_code == 200

    assert redeem(app, app.code(), made).json()["error"] == "invalid_dpop_proof"


def test_A5_a_bound_refresh_token_needs_its_key(app, bound):
    token = bound["refresh_token"]

    assert refresh(app, token).json()["error"] == "invalid_grant"
    assert refresh(app, token, DPoP=proof(OTHER)).json()["error"] == "invalid_grant"
    answer = refresh(app, token, DPoP=proof(KEY))
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")


def test_a_client_that_declares_it_gets_nothing_without_a_proof(browser):
    app = App(browser, factories.acme_client(dpop_bound_access_tokens=True))

    assert app.redeem(app.code()).json()["error"] == "invalid_dpop_proof"
    assert redeem(app, app.code(), proof(KEY)).status_code == 200


def test_a_client_that_declares_it_cannot_hide_behind_its_assertion(browser):
    key = ec()
    client = factories.acme_client(
        client_type="confidential", jwks=public(key), dpop_bound_access_tokens=True
    )
    app = App(browser, client)

    response = app.redeem(app.code(), client_id=None, **asserted(key, client.client_id))

    assert response.json()["error"] == "invalid_dpop_proof"


def test_introspection_names_the_key(browser):
    key = ec()
    app = App(browser, factories.acme_client(client_type="confidential", jwks=public(key)))
    client_id = app.client.client_id
    answer = redeem(app, app.code(), proof(KEY), **asserted(key, client_id)).json()

    facts = app.post("/o/introspect/", {"token": answer["access_token"], **asserted(key, client_id)}).json()

    assert facts["cnf"] == {"jkt": JKT}
    assert facts["token_type"] == "DPoP"
    # A client that proves itself need not hold the key for its refresh token (RFC 9449, 5).
    again = app.refresh(answer["refresh_token"], **asserted(key, client_id)).json()
    assert again["token_type"] == "Bearer"
