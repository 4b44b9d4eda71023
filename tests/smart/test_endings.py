"""What ends with a sign-in, and what does not: the table of docs/smart.md, row by row."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.signals import authenticator_added, authenticator_removed
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.test import Client as Browser

from accounts import endings
from accounts.endings import Change
from accounts.models import Patient
from audit.models import AuditEvent
from consent.models import Consent
from smart.models import RefreshToken, SecurityEvent
from tests import factories
from tests.smart.app import App

NEW = "a quite different password"


def sign_in(person: Patient) -> Browser:
    """One of the sessions that the person sees listed."""
    browser = Browser()
    browser.force_login(person.user)
    key = browser.session.session_key
    UserSession.objects.create(user=person.user, ip="127.0.0.1", user_agent="a browser", session_key=key)
    return browser


def connect(browser: Browser, access: str) -> tuple[App, str]:
    app = App(browser, factories.acme_client(notification_uri="https://acme.example/events"))
    app.scope = f"{access} patient/Patient.rs"
    return app, app.connect()["refresh_token"]


def works(connected: tuple[App, str]) -> bool:
    app, refresh_token = connected
    return app.refresh(refresh_token).status_code == 200


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/apps/").status_code == 200


def details() -> list[dict[str, Any]]:
    return [e.detail for e in AuditEvent.objects.filter(type="account:change").order_by("recorded_at")]


@pytest.fixture
def here(alice: Patient) -> Browser:
    EmailAddress.objects.create(user=alice.user, email=alice.user.email, primary=True, verified=True)
    return sign_in(alice)


@pytest.fixture
def elsewhere(alice: Patient, here: Browser) -> Browser:
    return sign_in(alice)


def change_password(alice: Patient, here: Browser) -> None:
    said = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post("/accounts/password/change/", said).status_code == 302


def reset_password(alice: Patient, here: Browser) -> None:
    alice.user.refresh_from_db()  # a link holds till the next sign-in
    key = f"{user_pk_to_url_str(alice.user)}-{default_token_generator.make_token(alice.user)}"
    stranger = Browser()
    form = stranger.get(f"/accounts/password/reset/key/{key}/", follow=True)
    done = stranger.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert done.status_code == 302


def by_change(change: Change) -> Callable[[Patient, Browser], None]:
    def act(alice: Patient, here: Browser) -> None:
        endings.changed(alice.user, change, session_key=here.session.session_key)

    return act


@pytest.mark.parametrize(
    "act",
    [
        change_password,
        by_change(Change.EMAIL),
        by_change(Change.FACTOR_ADDED),
        by_change(Change.FACTOR_REMOVED),
    ],
)
def test_a_change_by_the_person_ends_other_sessions_and_what_rests_on_them(alice, here, elsewhere, act):
    online, offline = connect(elsewhere, "online_access"), connect(elsewhere, "offline_access")

    act(alice, here)

    assert not is_signed_in(elsewhere)
    assert not works(online)
    assert works(offline)
    assert Consent.objects.filter(status="active").count() == 2


@pytest.mark.parametrize(
    "act", [by_change(Change.EMAIL), by_change(Change.FACTOR_ADDED), by_change(Change.FACTOR_REMOVED)]
)
def test_the_session_in_which_it_was_done_goes_on(alice, here, act):
    online = connect(here, "online_access")

    act(alice, here)

    assert is_signed_in(here)
    assert works(online)


@pytest.mark.parametrize("act", [reset_password, by_change(Change.COMPROMISE)])
def test_what_is_not_trusted_ends_all_that_the_person_let_in(alice, here, act):
    online, offline = connect(here, "online_access"), connect(here, "offline_access")
    waiting, _ = connect(here, "offline_access")
    code = waiting.code()

    act(alice, here)

    assert not is_signed_in(here)
    assert not works(online)
    assert not works(offline)
    assert waiting.redeem(code).json()["error"] == "invalid_grant"
    assert not RefreshToken.objects.filter(revoked=None).exists()
    assert (
        Consent.objects.filter(status="active").count() == 3
    )  # what they shared they can still see and stop
    assert SecurityEvent.objects.filter(kind="ended").count() == 3


def test_somebody_elses_tokens_stay(alice, here):
    mallory = factories.create_patient("Mallory Quinn")
    other = connect(sign_in(mallory), "offline_access")

    endings.changed(alice.user, Change.COMPROMISE)

    assert works(other)


def test_a_closed_account_lets_nothing_in(alice, here):
    offline = connect(here, "offline_access")
    cora = factories.create_staff("Cora Lane", "compliance")

    endings.close(alice.user, by=cora)
    endings.close(alice.user, by=cora)

    assert not works(offline)
    assert not is_signed_in(here)
    (event,) = AuditEvent.objects.filter(type="account:change")
    assert (event.actor, event.target) == (f"User/{cora.pk}", f"User/{alice.user.pk}")
    assert event.patient == f"Patient/{alice.pk}"


def test_signing_out_everywhere_ends_what_rests_on_each_session(alice, here, elsewhere):
    online, offline = connect(elsewhere, "online_access"), connect(elsewhere, "offline_access")

    here.post("/settings/devices/end/", {"which": "others"})

    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert not works(online)
    assert works(offline)


def test_ending_one_device_ends_what_rests_on_it_at_once(alice, here, elsewhere):
    mine, theirs = connect(here, "online_access"), connect(elsewhere, "online_access")

    UserSession.objects.get(session_key=elsewhere.session.session_key).end()

    assert RefreshToken.objects.filter(revoked=None).count() == 1
    assert works(mine)
    assert not works(theirs)
    (event,) = AuditEvent.objects.filter(type="token:revoke")
    assert (event.actor, event.detail["why"]) == ("System/sign-in", "session-ended")


def test_a_session_of_an_older_password_keeps_nothing_alive(alice, browser):
    """One that no list knows: its row is still there, and it is over all the same."""
    online = connect(browser, "online_access")

    alice.user.set_password(NEW)
    alice.user.save()

    assert not works(online)


# The signals of allauth reach the table


def test_adding_and_removing_a_factor_counts_and_backup_codes_do_not(alice, here, elsewhere, rf):
    request = rf.post("/")
    request.user, request.session = alice.user, here.session
    app_of_codes = TOTP.activate(alice.user, generate_totp_secret()).instance
    backup = RecoveryCodes.activate(alice.user).instance

    authenticator_added.send(Authenticator, request=request, user=alice.user, authenticator=app_of_codes)
    authenticator_added.send(Authenticator, request=request, user=alice.user, authenticator=backup)
    authenticator_removed.send(Authenticator, request=request, user=alice.user, authenticator=app_of_codes)

    assert [d["change"] for d in details()] == ["factor-added", "factor-removed"]
    assert [d["sessions"] for d in details()] == [1, 0]


def test_each_change_stands_in_the_log_once(alice, here):
    connect(here, "offline_access")

    reset_password(alice, here)

    (told,) = details()
    assert told["change"] == "password-reset"
    assert told["ended"] > 0
    why = [event.detail["why"] for event in AuditEvent.objects.filter(type="token:revoke")]
    assert why == ["sign-in-changed"]


def test_every_change_has_a_rule():
    assert set(endings.RULES) == set(Change)
