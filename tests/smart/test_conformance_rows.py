"""Rows of docs/conformance that want a test of their own; each carries the row's id."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from smart import assertions, keys
from smart.jwts import BadToken
from tests import factories
from tests.smart.app import App
from tests.smart.signing import assertion, ec, public

SECRET = "s" * 43
KEY = ec()
VSCHAR = re.compile(r"[\x20-\x7e]+")  # RFC 6749, appendix A.12 and A.17
B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, 2.1
STATES = ["plain", "a b+c%20d", "é€😀", "<script>&x=1#y", '{"a": "b\\"c"}', "s" * 1000]


def introspect(app: App, who, token: str) -> dict[str, object]:
    basic = base64.b64encode(f"{who.client_id}:{SECRET}".encode()).decode()
    return app.post("/o/introspect/", {"token": token}, Authorization=f"Basic {basic}").json()


@pytest.fixture
def resource_server(db):
    return factories.acme_client(client_type="confidential", client_secret=SECRET, is_resource_server=True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("do", ["share", "deny"])
def test_59_the_state_comes_back_as_it_was_sent(app, state, do):
    location = app.answer(app.page(state=state), do=do)["Location"]

    assert parse_qs(urlsplit(location).query)["state"] == [state]


def test_85_tokens_are_of_the_characters_of_rfc_6749_and_6750(app):
    answer = app.connect()

    for token in (answer["access_token"], answer["refresh_token"]):
        assert isinstance(token, str)
        assert VSCHAR.fullmatch(token)
        assert B64TOKEN.fullmatch(token)


def test_275_276_exp_is_when_the_token_ends(app, resource_server):
    answer = app.connect()
    facts = introspect(app, resource_server, answer["access_token"])

    assert type(facts["exp"]) is int
    assert abs(facts["exp"] - facts["iat"] - answer["expires_in"]) <= 1


def test_283_a_resource_server_sees_the_tokens_of_every_client(app, resource_server, browser):
    other = App(browser, factories.acme_client())
    stranger = factories.acme_client(client_type="confidential", client_secret=SECRET)

    for asker in (app, other):
        token = asker.connect()["access_token"]
        assert introspect(app, resource_server, token)["client_id"] == asker.client.client_id
        assert introspect(app, stranger, token) == {"active": False}


# 338: how the key of an assertion is found, step by step


def check(client, *, key=KEY, **header) -> None:
    assertions.check(assertion(key, client.client_id, header=header), client)


@pytest.fixture
def signs(db):
    """Its keys are registered, and among them two that have one kid."""
    twins = [ec("twin"), ec("twin")]
    return factories.acme_client(client_type="confidential", jwks=public(KEY, *twins))


def test_338_1_a_jku_that_was_not_registered_fails(signs):
    with pytest.raises(BadToken):
        check(signs, jku="https://evil.example/jwks")


def test_338_1_a_jku_that_was_registered_is_where_the_keys_are(db, monkeypatch):
    address = "https://app.example/jwks"
    client = factories.acme_client(client_type="confidential", jwks_uri=address)
    monkeypatch.setattr(keys, "keys_of", lambda _: public(KEY)["keys"])

    check(client, jku=address)
    for other in (f"{address}/", "https://evil.example/jwks", "", 7):
        with pytest.raises(BadToken):
            check(client, jku=other)


def test_338_2_without_a_jku_the_registered_keys_count(signs):
    check(signs)


@pytest.mark.parametrize("kid", ["unknown", "twin", None])
def test_338_3_exactly_one_key_has_the_kid(signs, kid):
    with pytest.raises(BadToken):
        check(signs, kid=kid)


def test_338_3_the_kind_of_key_fits_the_algorithm(signs):
    client = factories.acme_client(client_type="confidential", jwks=public(ec("key-1", "P-384")))
    claims = assertion(KEY, client.client_id).split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"RS384","typ":"JWT","kid":"key-1"}').rstrip(b"=").decode()

    with pytest.raises(BadToken):
        assertions.check(".".join([header, *claims[1:]]), client)


def test_338_4_the_signature_is_of_that_key(signs):
    with pytest.raises(BadToken):
        check(signs, key=ec("key-1"))
