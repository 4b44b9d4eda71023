"""Clients that prove themselves with a key, and backend services, which do nothing else."""

import json
import time
from datetime import timedelta

import pytest
from jwcrypto.jwk import JWK

from audit.models import AuditEvent
from smart import tokens
from smart.commands import InvalidClient, approve_service, move
from smart.models import AccessToken, Client, RefreshToken
from smart.states import Act
from tests import factories
from tests.smart.app import App
from tests.smart.signing import TYPE, asserted, assertion, ec, public

KEY = ec()
RSA = JWK.generate(kty="RSA", size=2048, kid="rsa-1")
SYSTEM = "system/Observation.rs system/Patient.rs"


@pytest.fixture
def key_app(browser) -> App:
    return App(browser, factories.acme_client(client_type="confidential", jwks=public(KEY, RSA)))


@pytest.fixture
def service(db) -> Client:
    client = factories.acme_client(
        client_type="confidential",
        jwks=public(KEY),
        redirect_uris=[],
        scope=SYSTEM,
        authorization_grant_type="client-credentials",
    )
    return approve_service(
        client, groups=["diabetes-2026"], by=factories.create_staff("Ada Min", "administrator")
    )


@pytest.mark.parametrize("key", [KEY, RSA], ids=["ES384", "RS384"])
def test_a_client_with_keys_goes_all_the_way(key_app, key):
    client_id = key_app.client.client_id

    answer = key_app.redeem(key_app.code(), **asserted(key, client_id)).json()
    again = key_app.refresh(answer["refresh_token"], **asserted(key, client_id)).json()
    facts = key_app.post(
        "/o/introspect/", {"token": again["access_token"], **asserted(key, client_id)}
    ).json()
    ended = key_app.post("/o/revoke_token/", {"token": again["access_token"], **asserted(key, client_id)})

    assert facts["active"] is True
    assert ended.status_code == 200
    assert key_app.userinfo(again["access_token"]).status_code == 401


def test_the_assertion_alone_says_who_asks(key_app):
    code = key_app.code()

    assert key_app.redeem(code, client_id=None, **asserted(KEY, key_app.client.client_id)).status_code == 200


@pytest.mark.parametrize("aud", ["http://testserver", ["http://testserver/o/token/"]])
def test_aud_may_be_the_issuer_alone_or_in_a_list(key_app, aud):
    proved = asserted(KEY, key_app.client.client_id, aud=aud)

    assert key_app.redeem(key_app.code(), **proved).status_code == 200


OTHER = ec()
FORGED = [
    {"aud": "https://other.example/token"},
    {"aud": None},
    {"aud": 7},
    {"exp": timedelta(seconds=3600)},
    {"exp": timedelta(seconds=-60)},
    {"exp": None},
    {"exp": True},
    {"exp": "tomorrow"},
    {"exp": 1e300},
    {"iat": timedelta(seconds=600)},
    {"nbf": timedelta(seconds=600)},
    {"jti": None},
    {"jti": "x" * 300},
    {"jti": 5},
    {"iss": "somebody-else"},
    {"sub": "somebody-else"},
    {"header": {"kid": "unknown"}},
    {"header": {"kid": None}},
    {"header": {"kid": "../../etc/passwd"}},
    {"header": {"typ": "dpop+jwt"}},
    {"header": {"jku": "http://127.0.0.1/keys", "kid": "unknown"}},
    {"header": {"crit": ["b64"], "b64": True}},
]


@pytest.mark.parametrize("wrong", FORGED, ids=lambda wrong: "-".join(wrong))
def test_A8_an_assertion_that_is_not_right_is_refused(key_app, wrong):
    now = time.time()  # and not when the list was read, which in a slow run is long ago
    claims = {
        name: int(now + value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in wrong.items()
    }
    response = key_app.redeem(key_app.code(), **asserted(KEY, key_app.client.client_id, **claims))

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert not AccessToken.objects.exists()


def test_A8_another_key_with_the_same_kid_is_refused(key_app):
    assert key_app.redeem(key_app.code(), **asserted(OTHER, key_app.client.client_id)).status_code == 401


def test_A7_A8_an_assertion_under_another_algorithm_is_refused(key_app):
    """`none`, and HMAC with what everybody can read: the public key."""
    client_id = key_app.client.client_id
    good = assertion(KEY, client_id).split(".")
    head = '{"alg":"none","kid":"key-1"}'
    bare = ".".join([_b64(head), good[1], ""])
    mac_key = JWK(kty="oct", k=_b64(json.dumps(public(KEY)["keys"][0])), kid="key-1")
    mac = assertion(mac_key, client_id, header={"alg": "HS384", "typ": "JWT"})

    for forged in (bare, mac, good[0] + "." + good[1] + ".", "a.b.c", "x" * 20000, "", "é.é.é"):
        sent = {"client_assertion_type": TYPE, "client_assertion": forged}
        assert key_app.redeem(key_app.code(), **sent).json()["error"] == "invalid_client"


def _b64(text: str) -> str:
    import base64

    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_A8_an_assertion_counts_once_even_after_a_refusal(key_app):
    proved = asserted(KEY, key_app.client.client_id)
    code = key_app.code()

    assert key_app.redeem("made-up", **proved).json()["error"] == "invalid_grant"
    assert key_app.redeem(code, **proved).json()["error"] == "invalid_client"


def test_A8_a_client_with_keys_is_not_let_in_by_a_secret(key_app):
    for secret in ("", "s" * 43):
        response = key_app.redeem(key_app.code(), client_secret=secret)
        assert response.json()["error"] == "invalid_client"


def test_A8_two_ways_at_once_are_none(key_app):
    sent = asserted(KEY, key_app.client.client_id) | {"client_secret": "s" * 43}

    assert key_app.redeem(key_app.code(), **sent).json()["error"] == "invalid_client"


def test_A8_someone_elses_assertion_is_no_proof(key_app):
    other = factories.acme_client(client_type="confidential", jwks=public(OTHER))
    sent = asserted(OTHER, other.client_id)

    assert key_app.redeem(key_app.code(), **sent).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_type": "public", "jwks": public(KEY)},
        {"client_type": "confidential", "jwks": {"keys": [json.loads(KEY.export_private())]}},
        {"client_type": "confidential", "jwks": {"keys": []}},
        {"client_type": "confidential", "jwks": public(KEY), "client_secret": "s" * 43},
        {"client_type": "confidential", "jwks": public(KEY), "jwks_uri": "https://acme.example/keys"},
        {"client_type": "confidential", "jwks_uri": "http://acme.example/keys"},
        {"client_type": "confidential", "jwks": public(ec(crv="P-256"))},
        {"client_type": "confidential", "jwks": {"keys": [public(RSA)["keys"][0] | {"e": "_" * 340}]}},
        {"client_type": "confidential", "authorization_grant_type": "client-credentials"},
    ],
)
def test_keys_that_cannot_be_registered(db, changes):
    with pytest.raises(InvalidClient):
        factories.acme_client(**changes)


# Backend services


def ask(client: Client, machine, **changes):
    body = {"grant_type": "client_credentials", "scope": SYSTEM, **asserted(KEY, client.client_id)} | changes
    return machine.post("/o/token/", {k: v for k, v in body.items() if v is not None})


def test_a_backend_service_gets_a_short_token_for_itself(service, client):
    answer = ask(service, client).json()

    assert answer["scope"] == SYSTEM
    assert answer["expires_in"] <= 300
    assert "refresh_token" not in answer
    assert "patient" not in answer
    found = tokens.find(answer["access_token"])
    assert (found.user, found.patient, found.authorization_id) == (None, None, None)
    assert tokens.is_active(found)
    assert not RefreshToken.objects.exists()
    assert AuditEvent.objects.get(type="token:issue").client == f"Client/{service.client_id}"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "patient/Observation.rs"}, "invalid_scope"),
        ({"scope": "system/Condition.rs"}, "invalid_scope"),
        ({"scope": "openid offline_access"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"client_assertion": None, "client_assertion_type": None}, "invalid_client"),
        ({"client_assertion_type": "jwt"}, "invalid_client"),
    ],
)
def test_A6_what_a_backend_service_does_not_get(service, client, changes, error):
    assert ask(service, client, **changes).json()["error"] == error
    assert not AccessToken.objects.exists()


def test_a_backend_service_gets_less_where_it_asks_for_more(service, client):
    assert ask(service, client, scope="system/*.cruds").json()["scope"] == SYSTEM


def test_a_backend_service_waits_for_an_approval_and_ends_with_it(service, client):
    by = service.approved_by
    given = ask(service, client).json()["access_token"]
    approve_service(service, groups=[], by=by)

    assert ask(service, client).json()["error"] == "unauthorized_client"
    assert not tokens.is_active(tokens.find(given))
    changes = [
        e.detail["change"] for e in AuditEvent.objects.filter(type="client:change", actor=f"User/{by.pk}")
    ]
    assert sorted(changes) == ["approve", "disapprove"]


@pytest.mark.parametrize("act", ["suspend", "block", "remove", "reopen"])
def test_a_backend_service_that_is_out_is_out_at_once(service, client, act):
    given = ask(service, client).json()["access_token"]
    move(service, Act(act), by=service.approved_by)

    assert ask(service, client).json()["error"] in ("invalid_client", "unauthorized_client")
    assert not tokens.is_active(tokens.find(given))


def test_a_system_token_opens_no_patients_record(service, client):
    given = ask(service, client).json()["access_token"]

    response = client.get("/fhir/r4/Observation", headers={"Authorization": f"Bearer {given}"})

    assert response.status_code == 401


def test_an_app_of_people_cannot_ask_for_itself(key_app):
    response = ask(key_app.client, key_app.machine)

    assert response.json()["error"] == "unauthorized_client"
