"""An app signs its person out here, too: OpenID Connect RP-Initiated Logout 1.0."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client as Browser
from django.utils import timezone
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from audit.models import AuditEvent
from smart import signouts
from smart.commands import InvalidClient
from smart.models import Client
from tests import factories
from tests.smart.app import App

BACK = "http://127.0.0.1:8001/signed-out"
END = "/o/logout/"
SCOPE = "openid online_access patient/Patient.rs"


@pytest.fixture
def app(browser: Browser) -> App:
    app = App(browser, factories.acme_client(post_logout_redirect_uris=[BACK]))
    app.scope = SCOPE
    return app


def ask(browser: Browser, **said: str) -> Any:
    """What the browser shows in the end, or the redirect that leads away from us."""
    response = browser.get(END, said)
    return browser.get(response["Location"]) if response.status_code == 302 else response


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/apps/").status_code == 200


def hint_of(app: App) -> str:
    return app.connect()["id_token"]


def test_with_the_id_token_of_this_session_nobody_is_asked(app):
    answer = app.connect()

    response = ask(
        app.browser, id_token_hint=answer["id_token"], post_logout_redirect_uri=BACK, state="a b&c=d"
    )

    assert response.status_code == 302
    assert response["Location"] == f"{BACK}?state=a+b%26c%3Dd"
    assert not is_signed_in(app.browser)
    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert AuditEvent.objects.get(type="session:end").detail["why"] == "signed-out-by-app"


def test_offline_access_stays(app):
    app.scope = "openid offline_access patient/Patient.rs"
    answer = app.connect()

    ask(app.browser, id_token_hint=answer["id_token"])

    assert not is_signed_in(app.browser)
    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_an_id_token_that_ran_out_is_as_good(app):
    hint = hint_of(app)

    with patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(minutes=30)):
        response = ask(app.browser, id_token_hint=hint, post_logout_redirect_uri=BACK)

    assert response["Location"] == BACK


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_it_works_with_either_signature_and_by_post(app, algorithm):
    Client.objects.update(algorithm=algorithm)
    app.client.refresh_from_db()
    hint = hint_of(app)

    response = Browser().post(END, {"id_token_hint": hint, "client_id": app.client.client_id})

    assert response.status_code == 302
    assert hint not in response["Location"]
    assert app.browser.get(response["Location"]).status_code == 200
    assert not is_signed_in(app.browser)


@pytest.mark.parametrize("said", [{}, {"logout_hint": "alice@demo.example"}, {"state": "x"}])
def test_A16_without_an_id_token_the_person_is_asked(app, said):
    page = ask(app.browser, client_id=app.client.client_id, **said)

    assert page.status_code == 200
    assert "Acme" in page.content.decode()
    assert is_signed_in(app.browser)


def test_the_person_says_yes_and_goes_back(app):
    where = app.browser.get(END, {"client_id": app.client.client_id, "post_logout_redirect_uri": BACK})

    response = app.browser.post(where["Location"], {"do": "out"})

    assert (response.status_code, response["Location"]) == (302, BACK)
    assert not is_signed_in(app.browser)


def test_the_person_says_no_and_stays(app):
    where = app.browser.get(END, {"client_id": app.client.client_id, "post_logout_redirect_uri": BACK})

    response = app.browser.post(where["Location"], {"do": "stay"})

    assert response["Location"] == "/"
    assert is_signed_in(app.browser)


def test_A16_a_form_of_another_site_signs_nobody_out(app, alice):
    careful = Browser(enforce_csrf_checks=True)
    careful.force_login(alice.user)
    where = careful.post(END, {"client_id": app.client.client_id})

    response = careful.post(where["Location"], {"do": "out"})

    assert response.status_code == 403
    assert is_signed_in(careful)


def test_A16_the_id_token_of_another_session_or_person_asks(app, alice):
    hint = hint_of(app)
    elsewhere, mallory = Browser(), Browser()
    elsewhere.force_login(alice.user)
    mallory.force_login(factories.create_patient("Mallory Quinn").user)

    for browser in (elsewhere, mallory):
        assert ask(browser, id_token_hint=hint).status_code == 200
        assert is_signed_in(browser)


def test_who_is_not_signed_in_goes_straight_back(app):
    hint = hint_of(app)

    assert ask(Browser(), id_token_hint=hint, post_logout_redirect_uri=BACK)["Location"] == BACK
    assert "You are signed out" in ask(Browser(), id_token_hint=hint).content.decode()


@pytest.mark.parametrize(
    "said",
    [
        {"post_logout_redirect_uri": f"{BACK}/"},
        {"post_logout_redirect_uri": f"{BACK}?x=1"},
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": "javascript:alert(1)"},
        {"client_id": "nobody"},
        {"client_id": "a\x00b"},
        {"state": "x" * 2001},
        {"id_token_hint": "made.up.entirely"},
        {"id_token_hint": "x" * 9000},
    ],
)
def test_A3_what_is_not_registered_is_never_redirected_to(app, said):
    asked = {"client_id": app.client.client_id, "post_logout_redirect_uri": BACK} | said

    response = app.browser.get(END, asked)

    assert response.status_code == 400
    assert "Location" not in response
    assert is_signed_in(app.browser)


def test_A3_an_address_without_a_client_leads_nowhere(app):
    assert app.browser.get(END, {"post_logout_redirect_uri": BACK}).status_code == 400


def test_A3_a_client_that_is_suspended_gets_nobody_back(app):
    Client.objects.update(status=Client.Status.SUSPENDED)

    said = {"client_id": app.client.client_id, "post_logout_redirect_uri": BACK}
    assert app.browser.get(END, said).status_code == 400


def test_an_id_token_of_another_client_is_refused(app):
    other = factories.acme_client(post_logout_redirect_uris=[BACK])

    response = app.browser.get(END, {"id_token_hint": hint_of(app), "client_id": other.client_id})

    assert response.status_code == 400
    assert is_signed_in(app.browser)


def test_A7_an_id_token_that_we_did_not_sign_is_refused(app):
    claims = json.loads(JWT(jwt=hint_of(app), key=app.client.jwk_key).claims)
    stranger = JWK.generate(kty="RSA", size=2048)
    kid = app.client.jwk_key.thumbprint()
    forged = JWT(header={"alg": "RS256", "kid": kid}, claims=claims)
    forged.make_signed_token(stranger)
    head = '{"alg":"none"}'
    none = ".".join([signouts.jwts.base64.urlsafe_b64encode(head.encode()).decode().rstrip("="), "e30", ""])

    for hint in (forged.serialize(), none):
        assert app.browser.get(END, {"id_token_hint": hint}).status_code == 400
    assert is_signed_in(app.browser)


def test_a_parameter_stands_there_once(app):
    url = f"{END}?client_id={app.client.client_id}&client_id=x"

    assert app.browser.get(url).status_code == 400


def test_the_page_holds_for_five_minutes_and_is_ours(app):
    where = app.browser.get(END, {"client_id": app.client.client_id})["Location"]

    assert app.browser.get(f"{where}x").status_code == 400
    with patch.object(signouts, "HOLDS", -1):
        assert app.browser.get(where).status_code == 400
    assert is_signed_in(app.browser)


def test_both_discoveries_name_it(client):
    for path in (".well-known/openid-configuration", ".well-known/oauth-authorization-server"):
        assert client.get(f"/{path}").json()["end_session_endpoint"] == "http://testserver/o/logout/"


@pytest.mark.parametrize("uri", ["javascript:x", "http:///x", f"{BACK}#part", "https://a@b.example/"])
def test_an_address_to_go_back_to_is_checked_when_it_is_registered(db, uri):
    with pytest.raises(InvalidClient):
        factories.acme_client(post_logout_redirect_uris=[uri])
