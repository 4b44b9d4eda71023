"""The authorization request: what is refused, how, and where to."""

import time

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.test import Client as Browser

from accounts.models import Patient
from consent.models import Consent
from smart.models import AuthorizationRequest, Client, Grant
from tests import factories
from tests.smart.app import FHIR_BASE, REDIRECT_URI, App, answer_of, s256


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        "http://127.0.0.1:8001/callback/",
        "http://127.0.0.1:8001/callback/more",
        "http://127.0.0.1:8001/callbac",
        "http://127.0.0.1:8001/x/../callback",
        "http://127.0.0.1:8001/%63allback",
        "http://127.0.0.1:8001/callback%2f",
        "http://127.0.0.1:8001/callback?next=1",
        "http://127.0.0.1:8001/callback#here",
        "http://evil@127.0.0.1:8001/callback",
        "http://127.0.0.1:8001@evil.example/callback",
        "http://127.0.0.1:8002/callback",
        "HTTP://127.0.0.1:8001/callback",
        "https://127.0.0.1:8001/callback",
        "http://localhost:8001/callback",
        "com.acme:/callback",
        "javascript:alert(1)",
        "/callback",
    ],
)
def test_A3_a_redirect_uri_that_is_not_the_registered_one_gets_a_page(app, redirect_uri):
    response = app.ask(redirect_uri=redirect_uri)

    assert response.status_code == 400
    assert "Nothing was shared" in response.content.decode()
    assert "Location" not in response
    assert not AuthorizationRequest.objects.exists()


@pytest.mark.parametrize("client_id", ["nobody", None, "a\x00b", "%00"])
def test_A3_an_unknown_client_gets_a_page(app, client_id):
    response = app.ask(client_id=client_id)

    assert response.status_code == 400
    assert "Location" not in response


@pytest.mark.parametrize("status", [Client.Status.SUSPENDED, Client.Status.BLOCKED])
def test_a_client_that_is_out_gets_a_page(app, status):
    Client.objects.update(status=status)

    assert app.ask().status_code == 400


@pytest.mark.parametrize("status", [Client.Status.SANDBOX, Client.Status.IN_REVIEW])
def test_a_client_on_trial_gets_nothing_of_a_real_person(app, status):
    Client.objects.update(status=status)
    page = app.page()

    response = app.browser.get(page)

    assert response.status_code == 403
    assert "Nothing was shared" in response.content.decode()
    assert app.answer(page).status_code == 403
    assert answer_of(app.answer(page, do="deny"))["error"] == "access_denied"
    assert not Grant.objects.exists()


@pytest.mark.parametrize("status", [Client.Status.SANDBOX, Client.Status.IN_REVIEW])
def test_a_client_on_trial_works_with_a_test_patient(app, alice, status):
    Patient.objects.filter(pk=alice.pk).update(is_test=True)
    Client.objects.update(status=status)

    assert "access_token" in app.connect()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": FHIR_BASE + "/Patient"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": "nonsense"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "nonsense patient/Nonsense.rs"}, "invalid_scope"),
        ({"scope": "openid fhirUser"}, "invalid_scope"),
        ({"scope": "system/Patient.rs system/*.rs"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"nonce": "n" * 256}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "-99999999999999"}, "invalid_request"),
        ({"max_age": "99999999999999"}, "invalid_request"),
        ({"max_age": "9" * 5000}, "invalid_request"),
        ({"max_age": "\N{ARABIC-INDIC DIGIT FIVE}"}, "invalid_request"),
        ({"launch": "made-up"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://a.example/r"}, "request_uri_not_supported"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_A4_a_wrong_parameter_goes_back_as_its_error(app, changes, error):
    answer = answer_of(app.ask(**changes))

    assert answer["error"] == error
    assert answer["state"] == "a-state-of-the-app"
    assert answer["iss"] == "http://testserver"
    assert "code" not in answer
    assert not AuthorizationRequest.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 129},
    ],
)
def test_A2_pkce_is_s256_or_nothing(app, changes):
    assert answer_of(app.ask(**changes))["error"] == "invalid_request"


def test_A4_state_is_required(app):
    answer = answer_of(app.ask(state=None))

    assert answer["error"] == "invalid_request"
    assert "state" not in answer


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state"])
def test_A4_a_parameter_that_stands_there_twice_gets_a_page(app, name):
    asked = app.parameters()
    response = app.browser.get("/o/authorize/", asked | {name: [asked[name], asked[name]]})

    assert response.status_code == 400


@pytest.mark.parametrize("name", ["aud", "code_challenge", "nonce"])
def test_A4_another_parameter_that_stands_there_twice_goes_back(app, name):
    answer = answer_of(app.browser.get("/o/authorize/", app.parameters() | {name: ["one", "two"]}))

    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize(
    "query", ["client_id=%zz", "client_id=%ff", "%00=1", "scope=%00", "&&&=", "x" * 9000]
)
def test_a_query_that_cannot_be_read_gets_a_page(app, query):
    assert app.browser.get(f"/o/authorize/?{query}").status_code == 400


def test_a_slash_at_the_end_of_aud_does_not_matter(app):
    assert app.ask(aud=FHIR_BASE + "/").status_code == 302


def test_the_request_may_be_posted_from_another_site(alice):
    """SMART 2.2, authorize-post. The form of an app has neither our cookie nor our CSRF token."""
    stranger = Browser(enforce_csrf_checks=True)
    app = App(stranger)

    response = stranger.post("/o/authorize/", app.parameters())

    assert response.status_code == 302
    assert response["Location"].startswith("/o/authorize/")
    assert "sent you here" in stranger.get(response["Location"]).content.decode()


def test_A16_the_answer_needs_the_token_of_our_own_form(alice):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(alice.user)
    app = App(browser)
    page = app.page()

    assert browser.post(page, {"do": "share", "what": "all", "days": "30"}).status_code == 403
    assert not Consent.objects.exists()


def test_A4_the_page_cannot_be_framed(app):
    response = app.browser.get(app.page())

    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "DENY"


def test_a_stranger_learns_who_asks_and_signs_in_first(app):
    app.browser.logout()
    page = app.page()
    shown = app.browser.get(page).content.decode()

    assert "Acme" in shown
    assert "First sign in. Then you choose what to share." in shown
    assert f"next={page.replace('/', '%2F')}" in shown


def test_an_answer_after_signing_out_shares_nothing(app):
    page = app.page()
    app.browser.get(page)
    app.browser.logout()

    response = app.browser.post(page, {"do": "share", "what": "all", "days": "30"})

    assert "First sign in" in response.content.decode()
    assert not Consent.objects.exists()


def test_who_has_no_record_is_told_so_and_goes_back(app):
    app.browser.force_login(factories.create_user("Amir Moreno"))
    page = app.page()

    response = app.browser.get(page)
    assert response.status_code == 403
    assert "You have no record to share" in response.content.decode()

    assert app.answer(page).status_code == 403
    assert app.answer(page).status_code == 403
    assert answer_of(app.answer(page, do="deny"))["error"] == "access_denied"
    assert not Grant.objects.exists()


@pytest.mark.parametrize("signed_in", [True, False])
def test_G2_prompt_none_is_answered_and_never_asks(app, signed_in):
    if not signed_in:
        app.browser.logout()

    answer = answer_of(app.ask(prompt="none"))

    assert answer["error"] == ("consent_required" if signed_in else "login_required")


def test_G2_prompt_none_with_anything_else_is_invalid(app):
    assert answer_of(app.ask(prompt="none login"))["error"] == "invalid_request"


def test_prompt_login_wants_a_new_sign_in(app, alice):
    page = app.page(prompt="login")

    assert app.browser.get(page)["Location"] == page
    assert "First sign in" in app.browser.get(page).content.decode()

    app.browser.force_login(alice.user)
    assert "What it asks to see" in app.browser.get(page).content.decode()


def test_max_age_counts_from_the_sign_in(app):
    assert "What it asks to see" in app.browser.get(app.page(max_age="60")).content.decode()
    assert app.browser.get(app.page(max_age="0"))["Location"]


def sign_in_an_hour_ago(browser) -> None:
    session = browser.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time() - 3600}]
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = session["_auth_user_id"]
    session.save()


@pytest.mark.parametrize("wanted", [{"prompt": "login"}, {"max_age": "60"}])
def test_A4_an_incomplete_form_does_not_get_round_the_new_sign_in(app, wanted):
    sign_in_an_hour_ago(app.browser)
    page = app.page(**wanted)
    form = {"do": "share", "what": "all", "days": "30"}

    assert app.browser.post(page, form | {"what": ""})["Location"] == page
    asked = AuthorizationRequest.objects.get()
    assert asked.shown_to is None
    response = app.browser.post(page, form | {"shown": asked.text_digest})

    assert "First sign in" in response.content.decode()
    assert not Consent.objects.exists()


@pytest.mark.parametrize("do", ["share", "deny"])
def test_A4_an_old_sign_in_cannot_answer_what_a_new_one_was_shown(app, alice, do):
    sign_in_an_hour_ago(app.browser)
    page = app.page(prompt="login")
    new = Browser()
    new.force_login(alice.user)
    form = App(new, app.client).form(page, do=do)

    assert app.browser.post(page, form)["Location"] == page
    assert AuthorizationRequest.objects.get().answered_at is None
    assert answer_of(new.post(page, form))


def test_the_longest_max_age_is_a_limit_like_any_other(app):
    assert "What it asks to see" in app.browser.get(app.page(max_age="9" * 9)).content.decode()


@pytest.mark.parametrize(
    "path",
    ["applications/", "applications/register/", "authorized_tokens/", "register/", "device/"],
)
def test_G7_G11_the_toolkits_own_pages_are_not_served(app, path):
    assert app.browser.get(f"/o/{path}").status_code == 404


def test_the_address_of_a_request_that_never_was_is_404(app):
    assert app.browser.get("/o/authorize/00000000-0000-0000-0000-000000000000/").status_code == 404


def test_A6_the_form_adds_nothing_to_the_request(app):
    """Scope, redirect URI, state and challenge are the kept ones, whatever the browser sends along."""
    page = app.page(scope="patient/Observation.rs")
    form = app.form(page)

    response = app.browser.post(
        f"{page}?scope=patient/*.cruds&redirect_uri=https://evil.example&state=evil&response_mode=fragment",
        form
        | {
            "scope": "patient/*.cruds offline_access",
            "redirect_uri": "https://evil.example/",
            "state": "evil",
            "client_id": "evil",
            "code_challenge": s256("evil"),
        },
    )

    assert answer_of(response)["state"] == "a-state-of-the-app"
    grant = Grant.objects.get()
    assert grant.scope == "patient/Observation.rs"
    assert grant.redirect_uri == REDIRECT_URI
    assert grant.code_challenge == s256(app.verifier)
