"""What an attacker tries at the endpoints of OAuth. Nothing of it may be a 500, or give more than a no."""

import base64
import json
from typing import Any

import pytest
from django.test import Client as Browser
from jwcrypto.jwk import JWK

from smart import commands, jwts, keys
from smart.models import AuthorizationRequest, Client, KeySet
from tests import factories
from tests.smart import signing
from tests.smart.app import FHIR_BASE, REDIRECT_URI, App

ENDPOINTS = ("token", "par", "revoke_token", "introspect")
BAD_TEXTS = ("\x00", "a\x00b", "\ud800")  # PostgreSQL holds none of them
FORM = "application/x-www-form-urlencoded"


def encoded(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{encoded(header)}.{encoded(claims)}.AAAA"


def is_a_no(answer: Any) -> bool:
    return answer.status_code in (400, 401, 413) and "error" in answer.json()


@pytest.fixture
def key() -> JWK:
    return signing.ec()


@pytest.fixture
def asserting(browser: Browser, key: JWK) -> App:
    return App(browser, factories.acme_client(client_type="confidential", jwks=signing.public(key)))


def with_status(client: Client, status: str) -> Client:
    client.status = status
    client.save()
    return client


# Texts that no table can hold


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_A8_an_assertion_of_a_name_that_no_table_holds(db, path, bad):
    assertion = unsigned({"alg": "ES384", "kid": "k"}, {"sub": bad, "iss": bad})
    body = {"client_assertion": assertion, "client_assertion_type": signing.TYPE, "grant_type": "x"}

    assert is_a_no(Browser().post(f"/o/{path}/", body))


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("name", ["a%00b:x", "%00:x", "%ED%A0%80:x", ":", "%:%"])
def test_A8_basic_authentication_of_a_name_that_no_table_holds(db, path, name):
    header = f"Basic {base64.b64encode(name.encode()).decode()}"

    assert is_a_no(Browser().post(f"/o/{path}/", {"grant_type": "x"}, headers={"Authorization": header}))


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("claim", ["jti", "iss", "aud"])
def test_A8_an_assertion_with_a_claim_that_no_table_holds(asserting, key, claim, bad):
    body = signing.asserted(key, asserting.client.client_id, **{claim: bad})

    assert is_a_no(asserting.post("/o/token/", {"grant_type": "client_credentials"} | body))


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("claim", ["jti", "htu", "htm"])
def test_A7_a_proof_with_a_claim_that_no_table_holds(app, claim, bad):
    key = signing.ec(crv="P-256")

    body = {"grant_type": "authorization_code", "code": "x", "client_id": app.client.client_id}
    answer = app.post("/o/token/", body, DPoP=signing.proof(key, **{claim: bad}))

    assert is_a_no(answer)


@pytest.mark.parametrize("bad", BAD_TEXTS)
@pytest.mark.parametrize("claim", ["jti", "ath"])
def test_A7_a_proof_at_a_record_with_a_claim_that_no_table_holds(app, claim, bad):
    key = signing.ec(crv="P-256")
    body = {
        "grant_type": "authorization_code",
        "code": app.code(),
        "redirect_uri": REDIRECT_URI,
        "client_id": app.client.client_id,
        "code_verifier": app.verifier,
    }
    token = app.post("/o/token/", body, DPoP=signing.proof(key)).json()["access_token"]
    for url in ("/fhir/r4/Patient", "/o/userinfo/"):
        shown = signing.proof(key, "GET", f"http://testserver{url}", token=token, **{claim: bad})
        answer = Browser().get(url, headers={"Authorization": f"DPoP {token}", "DPoP": shown})
        assert answer.status_code == 401, url


@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_A8_a_key_set_with_a_text_that_no_table_holds(db, bad, key):
    jwks = signing.public(key)
    jwks["keys"][0]["kid"] = bad

    with pytest.raises(commands.InvalidClient):
        factories.acme_client(client_type="confidential", jwks=jwks)


@pytest.mark.parametrize(
    "body",
    [
        b'{"keys": [{"kid": "\\u0000"}]}',
        b'{"keys": [{"kid": "\\ud800"}]}',
        b'{"keys": [{"kid": "k", "x": NaN}]}',
    ],
)
def test_A8_a_fetched_key_set_with_a_text_that_no_table_holds_is_not_kept(db, body):
    client = factories.acme_client(client_type="confidential", jwks_uri="https://app.example/jwks")

    class Site:
        def get(self, url: str) -> tuple[bytes, dict[str, str]]:
            return body, {}

    keys.refresh(client, "k", Site())

    assert KeySet.objects.get().keys == {}


# One thing said twice


def twice(header: str, claims: str) -> str:
    parts = (base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, "AAAA"])


@pytest.mark.parametrize(
    ("header", "claims"),
    [('{"alg":"none","alg":"ES384"}', "{}"), ('{"alg":"ES384"}', '{"sub":"a","sub":"b"}')],
)
def test_A8_a_member_that_stands_there_twice(header, claims):
    with pytest.raises(jwts.BadToken):
        jwts.parts_of(twice(header, claims))


def test_A8_an_audience_of_two_is_of_neither(asserting, key):
    """What one server was told would hold at the other as well (RFC 7523bis)."""
    for audience, status in (
        (["https://evil.example", signing.TOKEN_ENDPOINT], 401),
        ([signing.TOKEN_ENDPOINT], 400),
    ):
        body = {"grant_type": "authorization_code", "code": "x", "redirect_uri": REDIRECT_URI}
        body |= signing.asserted(key, asserting.client.client_id, aud=audience)
        assert asserting.post("/o/token/", body).status_code == status


def test_A8_parameters_of_registration_that_stand_there_twice(db, settings):
    settings.DYNAMIC_REGISTRATION = "token"
    cora = factories.create_staff("Cora Lane", "compliance", "administrator")
    _, value = commands.give_initial_access(by=cora, note="")
    text = '{"client_name":"Good","client_name":"Evil","redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"none"}'

    answer = Browser().post(
        "/o/register/", text, content_type="application/json", headers={"Authorization": f"Bearer {value}"}
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


# The authorization request


def test_A6_a_client_that_must_push_cannot_hide_behind_a_query(app):
    app.client.require_pushed_authorization_requests = True
    app.client.save()
    parameters = app.parameters()
    query = f"?client_id={parameters.pop('client_id')}"

    assert app.browser.post(f"/o/authorize/{query}", parameters).status_code == 400
    assert not AuthorizationRequest.objects.exists()


@pytest.mark.parametrize(
    "uri",
    [
        REDIRECT_URI + "/",
        REDIRECT_URI + "?",
        REDIRECT_URI + "#",
        REDIRECT_URI + "/../callback",
        REDIRECT_URI.upper(),
        REDIRECT_URI.replace("127.0.0.1", "localhost"),
        REDIRECT_URI.replace("8001", "08001"),
        REDIRECT_URI.replace("127.0.0.1", "127.0.0.1@evil.example"),
        REDIRECT_URI.replace("http://", "http://evil.example\\@"),
        REDIRECT_URI.replace("callback", "%63allback"),
        " " + REDIRECT_URI,
        REDIRECT_URI + " https://evil.example/",
    ],
)
def test_A3_an_address_that_only_looks_like_the_registered_one(app, uri):
    answer = app.ask(redirect_uri=uri)

    assert answer.status_code == 400
    assert "Location" not in answer


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": "{"},
        {"claims": "[" * 5000},
        {"claims": '{"id_token": {"sub": {"value": "x"}}}'},
        {"id_token_hint": "x.y.z"},
        {"ui_locales": "\n"},
        {"max_age": "-1"},
        {"max_age": "9" * 40},
        {"prompt": "login none"},
        {"response_mode": "web_message"},
        {"nonce": "n" * 256},
        {"state": "s" * 20000},
        {"scope": "openid " * 3000},
        {"scope": "patient/*.rs?" + "&".join(f"a{n}=b" for n in range(500))},
        {"aud": FHIR_BASE + "/../r4"},
        {"resource": "https://evil.example"},
        {"code_challenge": "x" * 42},
        {"dpop_jkt": "x" * 500},
        {"dpop_jkt": "\u202e"},
    ],
)
@pytest.mark.parametrize("scope", ["openid patient/Patient.rs", "patient/Patient.rs"])
def test_A4_an_odd_request_is_no_fault_of_the_server(app, changes, scope):
    for answer in (
        app.ask(**({"scope": scope} | changes)),
        app.post("/o/par/", app.parameters(**({"scope": scope} | changes))),
    ):
        assert answer.status_code < 500


def test_A4_a_pushed_request_cannot_be_stretched_by_what_comes_with_it(app):
    pushed = app.post("/o/par/", app.parameters()).json()["request_uri"]
    more = {"scope": "patient/*.cruds", "redirect_uri": "https://evil.example/", "state": "mine"}

    page = app.browser.get("/o/authorize/", {"client_id": app.client.client_id, "request_uri": pushed} | more)

    asked = AuthorizationRequest.objects.get()
    assert page.status_code == 302
    assert asked.parameters["redirect_uri"] == REDIRECT_URI
    assert asked.parameters["state"] == "a-state-of-the-app"
    assert "cruds" not in asked.parameters["scope"]


# Bodies


@pytest.mark.parametrize("path", [*ENDPOINTS, "userinfo", "logout", "authorize"])
def test_P13_a_body_that_is_too_large_is_not_read(db, path):
    answer = Browser().post(f"/o/{path}/", f"client_id={'x' * 200_000}", content_type=FORM)

    assert answer.status_code in (400, 413)
    if path in ENDPOINTS:
        assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", ""],
)
def test_P13_a_body_that_is_no_form(db, path, content_type):
    answer = Browser().generic("POST", f"/o/{path}/", b'{"grant_type": "x"}', content_type=content_type)

    assert is_a_no(answer)


def test_P13_a_thousand_parameters(db):
    answer = Browser().post("/o/token/", "&".join(f"a{n}=b" for n in range(2000)), content_type=FORM)

    assert is_a_no(answer)


# Names of others


@pytest.mark.parametrize("path", ENDPOINTS)
def test_A22_a_client_that_is_not_there_looks_like_one_that_does_not_prove_itself(browser, path):
    there = factories.acme_client(client_type="confidential", client_secret="s" * 43)
    out = factories.acme_client(client_type="confidential", client_secret="s" * 43)
    with_status(out, Client.Status.SUSPENDED)
    answers = []
    for name in (there.client_id, out.client_id, "nobody"):
        body = {"grant_type": "authorization_code", "code": "x", "token": "x", "redirect_uri": REDIRECT_URI}
        basic = base64.b64encode(f"{name}:wrong".encode()).decode()
        for said, headers in (
            (body, {"Authorization": f"Basic {basic}"}),
            (body | {"client_id": name, "client_secret": "x"}, {}),
        ):
            answer = Browser().post(f"/o/{path}/", said, headers=headers)
            shown = {
                n.lower(): v
                for n, v in answer.headers.items()
                if n.lower() not in ("x-request-id", "content-length")
            }
            answers.append((answer.status_code, answer.json(), shown))

    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers), answers


def test_A22_a_registration_that_is_not_there_looks_like_one_that_is_not_ones_own(db, settings):
    settings.DYNAMIC_REGISTRATION = "token"
    client = factories.acme_client()
    token = commands.new_management_token(client)
    said = []
    for name, value in ((client.client_id, "x"), ("nobody", token), ("nobody", "x"), ("%00", "x")):
        answer = Browser().get(f"/o/register/{name}/", headers={"Authorization": f"Bearer {value}"})
        said.append((answer.status_code, answer.content, answer["WWW-Authenticate"]))

    assert said[0][0] == 401
    assert len(set(said)) == 1


# Open redirects (RFC 9700, 4.11)


def test_A3_the_sign_out_of_an_app_that_nobody_checked_leads_nowhere_by_itself(db):
    evil = factories.acme_client(post_logout_redirect_uris=["http://127.0.0.1:6666/evil"])
    with_status(evil, Client.Status.SANDBOX)
    browser = Browser()

    shown = browser.get(
        browser.get(
            "/o/logout/",
            {"client_id": evil.client_id, "post_logout_redirect_uri": "http://127.0.0.1:6666/evil"},
        )["Location"]
    )

    assert shown.status_code == 200
    assert "127.0.0.1:6666" in shown.content.decode()


@pytest.mark.parametrize("changes", [{"response_type": "token"}, {"prompt": "none"}, {"scope": "nonsense"}])
def test_A3_an_error_of_an_app_that_nobody_checked_leads_nowhere_by_itself(browser, changes):
    evil = App(browser, with_status(factories.acme_client(), Client.Status.SANDBOX))

    shown = evil.ask(**changes)

    assert shown.status_code == 400
    assert "127.0.0.1:8001" in shown.content.decode()
