"""Software that registers itself, and what it may change: RFC 7591 and RFC 7592."""

import base64
import json
import time

import pytest

from audit.models import AuditEvent
from smart import commands, registration
from smart.models import Client, InitialAccess
from tests import factories
from tests.smart import signing

pytestmark = pytest.mark.django_db
REDIRECT = "https://app.example/callback"
SAID = {"client_name": "Sugar", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
WRONG = [
    ({"redirect_uris": []}, "invalid_redirect_uri"),
    ({"redirect_uris": None}, "invalid_redirect_uri"),
    ({"redirect_uris": "https://app.example/callback"}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://app.example/callback#here"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://*.app.example/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://me@app.example/"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://[app/"]}, "invalid_redirect_uri"),
    ({"redirect_uris": [REDIRECT] * 1 + ["/callback"]}, "invalid_redirect_uri"),
    ({"redirect_uris": [f"{REDIRECT}/{n}" for n in range(21)]}, "invalid_redirect_uri"),
    ({"redirect_uris": [7]}, "invalid_redirect_uri"),
    ({"post_logout_redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
    ({"client_name": None}, "invalid_client_metadata"),
    ({"client_name": "…"}, "invalid_client_metadata"),
    ({"client_name": "<b>Sugar</b>"}, "invalid_client_metadata"),
    ({"client_name": "Sug\u202ear"}, "invalid_client_metadata"),
    ({"client_name": "S" * 81}, "invalid_client_metadata"),
    ({"purpose": "p" * 201}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata"),
    ({"jwks": {"keys": []}}, "invalid_client_metadata"),
    ({"jwks_uri": "http://app.example/jwks"}, "invalid_client_metadata"),
    ({"jwks_uri": "https://app.example/jwks"}, "invalid_client_metadata"),  # and no private_key_jwt
    ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
    ({"grant_types": ["refresh_token"]}, "invalid_client_metadata"),
    ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ({"grant_types": ["password", "authorization_code"]}, "invalid_client_metadata"),
    ({"response_types": ["token"]}, "invalid_client_metadata"),
    ({"scope": "patient/Nonsense.rs"}, "invalid_client_metadata"),
    ({"scope": ["patient/*.rs"]}, "invalid_client_metadata"),
    ({"contacts": ["nobody"]}, "invalid_client_metadata"),
    ({"contacts": "me@app.example"}, "invalid_client_metadata"),
    ({"policy_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    ({"logo_uri": "data:image/png;base64,AA"}, "invalid_client_metadata"),
    ({"client_uri": "//app.example"}, "invalid_client_metadata"),
    ({"launch_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    ({"notification_uri": "http://app.example/ended"}, "invalid_client_metadata"),
    ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
    ({"dpop_bound_access_tokens": "yes"}, "invalid_client_metadata"),
]


@pytest.fixture
def access(settings) -> str:
    """An initial access token of a site that takes them."""
    settings.DYNAMIC_REGISTRATION = "token"
    by = factories.create_user("Cora Lind")
    return commands.give_initial_access(by=by, note="Acme")[1]


def send(client, path, said, token, method="post"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = json.dumps(said) if isinstance(said, dict) else said
    return client.generic(method.upper(), path, body, content_type="application/json", headers=headers)


def register(client, token, **changes):
    return send(client, "/o/register/", SAID | changes, token)


def manage(client, told, method, said=None, token=None):
    path = told["registration_client_uri"].removeprefix("http://testserver")
    return send(client, path, said or {}, token or told["registration_access_token"], method)


def test_it_is_off_and_nobody_hears_of_it(client):
    assert register(client, "").status_code == 404
    assert client.get("/o/register/acme/").status_code == 404
    for path in ("smart-configuration", "oauth-authorization-server", "openid-configuration"):
        base = "/fhir/r4" if path == "smart-configuration" else ""
        assert "registration_endpoint" not in client.get(f"{base}/.well-known/{path}").json()


def test_where_it_is_on_discovery_says_so(client, access):
    found = client.get("/fhir/r4/.well-known/smart-configuration").json()

    assert found["registration_endpoint"] == "http://testserver/o/register/"


def test_a_client_is_told_what_it_is(client, access):
    response = register(client, access, unheard_of="x", logo_uri="https://app.example/logo.png")

    assert response.status_code == 201
    told = response.json()
    assert told["redirect_uris"] == [REDIRECT]
    assert (told["token_endpoint_auth_method"], told["grant_types"][0]) == ("none", "authorization_code")
    assert response["Cache-Control"] == "no-store"
    assert not {"client_secret", "unheard_of", "logo_uri"} & set(told)
    made = Client.objects.get(client_id=told["client_id"])
    assert (made.status, made.registration_source) == ("sandbox", "dcr")
    assert told["registration_access_token"] not in json.dumps(list(Client.objects.values()), default=str)
    event = AuditEvent.objects.get(type="client:register")
    assert (event.actor, event.detail["source"]) == ("System/registration", "software")


def test_a_secret_is_generated_and_works_in_the_way_that_was_registered(client, access):
    told = register(client, access, token_endpoint_auth_method="client_secret_post").json()
    asked = {"client_id": told["client_id"], "client_secret": told["client_secret"], "token": "x"}

    assert told["client_secret_expires_at"] == 0
    assert client.post("/o/introspect/", asked).json() == {"active": False}
    basic = f"{told['client_id']}:{told['client_secret']}".encode()
    header = {"Authorization": "Basic " + base64.b64encode(basic).decode()}
    assert client.post("/o/introspect/", {"token": "x"}, headers=header).status_code == 401


def test_a_service_registers_its_keys_and_waits_for_an_approval(client, access):
    key = signing.ec()
    told = register(
        client,
        access,
        redirect_uris=None,
        grant_types=["client_credentials"],
        token_endpoint_auth_method="private_key_jwt",
        jwks=signing.public(key),
        scope="system/Patient.rs",
    ).json()
    body = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}

    response = client.post("/o/token/", body | signing.asserted(key, told["client_id"]))

    assert told["response_types"] == []
    assert response.json()["error"] == "unauthorized_client"


@pytest.mark.parametrize(("changes", "code"), WRONG)
def test_what_cannot_be_is_refused_by_its_code(client, access, changes, code):
    response = register(client, access, **changes)

    assert (response.status_code, response.json()["error"]) == (400, code)
    assert not Client.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "{", "7", '"x"', "[" * 20000, "{" + " " * 70000 + "}"])
def test_a_body_that_is_no_object(client, access, body):
    assert send(client, "/o/register/", body, access).json()["error"] == "invalid_client_metadata"


def test_a_form_is_not_read(client, access):
    headers = {"Authorization": f"Bearer {access}"}

    assert client.post("/o/register/", SAID, headers=headers).status_code == 400


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5000, "\x00"])
def test_without_an_initial_access_token_nothing_is_registered(client, access, token):
    response = register(client, token)

    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_initial_access_token_ends(client, access):
    commands.end_initial_access(InitialAccess.objects.get(), by=factories.create_user("Cora Lind"))

    assert register(client, access).status_code == 401


def test_one_token_registers_so_many_in_an_hour(client, access, monkeypatch):
    monkeypatch.setattr(registration, "MOST_AN_HOUR", 2)
    statuses = [register(client, access).status_code for _ in range(3)]

    assert statuses == [201, 201, 429]
    assert register(client, access)["Retry-After"] == "3600"


# RFC 7592


def test_a_client_reads_itself_and_no_secret_is_told_again(client, access):
    told = register(client, access, token_endpoint_auth_method="client_secret_basic").json()

    found = manage(client, told, "get").json()

    assert found == {name: value for name, value in told.items() if name != "client_secret"}


def test_a_client_changes_itself_and_what_it_leaves_out_is_gone(client, access):
    told = register(client, access, purpose="to see", contacts=["me@app.example"]).json()
    said = SAID | {"client_id": told["client_id"], "client_name": "Sugar 2"}

    found = manage(client, told, "put", said).json()

    assert (found["client_name"], "purpose" in found, "contacts" in found) == ("Sugar 2", False, False)
    assert AuditEvent.objects.filter(type="client:change").count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "other"}, "invalid_client_metadata"),
        ({"client_id": None}, "invalid_client_metadata"),
        ({"registration_access_token": "mine"}, "invalid_client_metadata"),
        ({"client_id_issued_at": 0}, "invalid_client_metadata"),
        ({"client_secret": "mine"}, "invalid_client_metadata"),
        *WRONG,
    ],
)
def test_a_change_that_cannot_be(client, access, changes, code):
    told = register(client, access).json()

    response = manage(client, told, "put", SAID | {"client_id": told["client_id"]} | changes)

    assert (response.status_code, response.json()["error"]) == (400, code)
    assert Client.objects.get().name == "Sugar"


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_another_token_opens_no_client(client, access, method):
    told, other = register(client, access).json(), register(client, access).json()

    for token in (other["registration_access_token"], access, "wrong"):
        assert manage(client, told, method, SAID, token).status_code == 401
    assert Client.objects.filter(status="sandbox").count() == 2


def test_a_client_that_never_registered_itself_has_no_token(client, access):
    acme = factories.acme_client()

    for token in ("", "x"):
        assert send(client, f"/o/register/{acme.client_id}/", {}, token, "delete").status_code == 401


def test_a_client_that_removed_itself_is_gone_at_once(client, access):
    told = register(client, access, token_endpoint_auth_method="client_secret_post").json()

    assert manage(client, told, "delete").status_code == 204
    assert manage(client, told, "get").status_code == 401
    asked = {"client_id": told["client_id"], "client_secret": told["client_secret"], "token": "x"}
    assert client.post("/o/introspect/", asked).status_code == 401
    assert AuditEvent.objects.get(type="client:status").detail["change"] == "remove"


def test_a_client_that_was_put_out_changes_nothing(client, access):
    told = register(client, access).json()
    Client.objects.update(status="blocked")

    assert manage(client, told, "put", SAID | {"client_id": told["client_id"]}).status_code == 403
    assert manage(client, told, "delete").status_code == 403


# Software statements


@pytest.fixture
def issuer(settings, tmp_path):
    """Somebody whose word the site takes; returns their key."""
    key = signing.ec()
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps({"https://trust.example": signing.public(key)}))
    settings.DYNAMIC_REGISTRATION, settings.SOFTWARE_STATEMENT_ISSUERS = "statement", str(path)
    return key


def statement(key, alg="ES384", **claims):
    said = {"iss": "https://trust.example", "iat": int(time.time()), "client_name": "Sugar, certified"}
    return signing.signed(key, {"alg": alg, "kid": key["kid"]}, said | claims)


def test_what_was_signed_comes_before_what_is_said(client, issuer):
    signed = statement(issuer)
    told = register(client, "", software_statement=signed).json()

    assert (told["client_name"], told["software_statement"]) == ("Sugar, certified", signed)
    assert Client.objects.get().registration_credential == "https://trust.example"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://other.example"}, "unapproved_software_statement"),
        ({"iss": None}, "invalid_software_statement"),
        ({"exp": 1}, "invalid_software_statement"),
        ({"nbf": 9_999_999_999}, "invalid_software_statement"),
        ({"exp": "soon"}, "invalid_software_statement"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ],
)
def test_a_statement_that_is_not_taken(client, issuer, claims, code):
    response = register(client, "", software_statement=statement(issuer, **claims))

    assert (response.status_code, response.json()["error"]) == (400, code)


@pytest.mark.parametrize("sent", [None, 7, "x", "a.b.c"])
def test_a_statement_is_needed(client, issuer, sent):
    assert register(client, "", software_statement=sent).json()["error"] == "invalid_software_statement"


def test_a_statement_that_somebody_else_signed(client, issuer):
    forged = statement(signing.ec())

    assert register(client, "", software_statement=forged).json()["error"] == "invalid_software_statement"
