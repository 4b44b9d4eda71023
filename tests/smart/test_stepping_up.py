"""An app is told that the sign-in is too old, sends its person back, and goes on (RFC 9470), in one go."""

import re
import time
from datetime import timedelta

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.test import Client as Browser
from django.utils import timezone

from consent import sign_in_rules
from consent.sign_in_rules import Rule
from consent.vocabulary import ACT_CODE
from smart import identity
from smart.models import AccessToken, RefreshToken
from tests import factories
from tests.smart.app import App, answer_of

PRIVATE = "Observation/private"
PASSWORD, CODE = {"method": "password"}, {"method": "mfa", "type": "totp"}


def a_private_record(alice) -> None:
    label = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
    factories.load_records(
        factories.patient_record(alice), factories.lab_result(alice, "private", meta=label)
    )


def read(app: App, token: str):
    return app.machine.get(f"/fhir/r4/{PRIVATE}", headers={"Authorization": f"Bearer {token}"})


def signed_in(browser: Browser, *records: dict[str, str], ago: float = 0) -> None:
    """As the sign-in page leaves a session."""
    session = browser.session
    at = time.time() - ago
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{**record, "at": at} for record in records]
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = session["_auth_user_id"]
    session.save()


def asked_for(response) -> dict[str, str]:
    """What a 401 tells the app to ask the authorization endpoint for."""
    assert response.status_code == 401, response.content
    told = dict(re.findall(r'(\w+)="([^"]*)"', response["WWW-Authenticate"]))
    assert told.pop("error") == "insufficient_user_authentication"
    return {name: told[name] for name in ("max_age", "acr_values") if name in told}


def again(app: App, alice, asked: dict[str, str], *records: dict[str, str]) -> dict[str, str]:
    """The app follows the 401: its person signs in anew and shares; then it has new tokens."""
    page = app.page(**asked)
    assert app.browser.get(page)["Location"] == page  # signed out: the session is not what was asked
    assert "First sign in" in app.browser.get(page).content.decode()
    app.browser.force_login(alice.user)
    signed_in(app.browser, *records, ago=-1)
    code = answer_of(app.answer(page, topics=["substance-use"]))["code"]
    return app.redeem(code).json()


def test_a_sign_in_that_became_too_old_is_made_anew_and_the_record_opens(app, alice):
    a_private_record(alice)
    old = app.connect(topics=["substance-use"], days="365")
    assert read(app, old["access_token"]).status_code == 200

    ago = timezone.now() - timedelta(days=91)
    for tokens in (AccessToken, RefreshToken):
        tokens.objects.update(authenticated_at=ago)
    signed_in(app.browser, PASSWORD, ago=91 * 86400)
    later = app.refresh(old["refresh_token"]).json()["access_token"]  # a refresh is no sign-in
    asked = asked_for(read(app, later))
    assert asked == {"max_age": "7776000"}
    new = again(app, alice, asked, PASSWORD)

    assert read(app, new["access_token"]).status_code == 200
    assert read(app, app.refresh(new["refresh_token"]).json()["access_token"]).status_code == 200


def test_a_sign_in_that_was_not_sure_enough_is_made_surer_and_the_record_opens(app, alice, monkeypatch):
    monkeypatch.setattr(
        sign_in_rules, "rules", lambda: {"private-topics": Rule(7_776_000, identity.TWO_FACTORS)}
    )
    a_private_record(alice)
    signed_in(app.browser, PASSWORD)
    plain = app.connect(topics=["substance-use"])
    asked = asked_for(read(app, plain["access_token"]))
    assert asked["acr_values"] == identity.TWO_FACTORS
    new = again(app, alice, asked, PASSWORD, CODE)

    assert read(app, new["access_token"]).status_code == 200
