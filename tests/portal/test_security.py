"""The page of how a person signs in: nothing on it without a proof, and never the last way out."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.urls import reverse

from accounts import secrets
from audit.models import AuditEvent
from notices.models import Notice
from tests import factories, proving
from tests.factories import PASSWORD

PAGE = "/settings/security/"
EMAIL = "/settings/security/email/"
NEW = "new-alice@demo.example"


@pytest.fixture
def alice(db, client):
    """Alice, who has just signed in."""
    cache.clear()
    user = factories.alice().user
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return user


def told(kind):
    return set(Notice.objects.filter(kind=kind).values_list("email", flat=True))


def mail_code():
    return re.search(r"\b\d{8}\b", mail.outbox[-1].body)[0]


def test_passkeys_come_first(alice, client):
    page = client.get(PAGE).text
    login = client.get("/accounts/login/").text if client.logout() is None else ""

    assert page.index("Passkeys") < page.index("Codes from an app") < page.index("Change your password")
    assert login.index("Use a passkey") < login.index("Password")


def test_old_address_of_the_page_leads_there(alice, client):
    assert client.get(reverse("mfa_index")).url == PAGE


def test_secret_of_the_codes_cannot_be_read_in_the_database(alice):
    proving.has_codes(alice)
    proving.has_backup_codes(alice)

    kept = [str(a.data) for a in Authenticator.objects.all()]
    assert all(proving.SECRET not in text for text in kept)
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]
    assert secrets.decrypt(seed) != seed


def test_only_way_to_sign_in_is_not_removed(alice, client):
    alice.set_unusable_password()
    alice.save()
    client.force_login(alice)
    key = proving.has_passkey(alice)

    answer = client.post(reverse("mfa_remove_webauthn", args=[key.pk]), follow=True)

    assert "This is your only way to sign in. Add another one first." in answer.text
    assert Authenticator.objects.filter(pk=key.pk).exists()


def test_passkey_is_removed_where_there_is_a_password_and_it_is_told(alice, client):
    proving.has_codes(alice)
    key = proving.has_passkey(alice)
    asked = client.post(reverse("mfa_remove_webauthn", args=[key.pk]))
    client.post(asked.url, {"code": proving.code_now()})

    assert not Authenticator.objects.filter(pk=key.pk).exists()
    assert told("sign_in_changed") == {alice.email}


def test_A15_passkey_of_somebody_else_is_not_found(alice, client):
    key = proving.has_passkey(factories.mallory().user)

    assert client.post(reverse("mfa_remove_webauthn", args=[key.pk])).status_code == 404


def test_password_change_asks_first_and_keeps_no_password(alice, client):
    proving.minutes_pass(client)

    asked = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "x"})
    after = client.post(asked.url, {"password": PASSWORD})

    assert asked.url.startswith("/check/")
    assert after.url == "/accounts/password/change/"  # the page, and not the form


def test_new_password_ends_the_sessions_and_is_told(alice, client):
    new = "violet umbrella tractor"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})

    alice.refresh_from_db()
    assert alice.check_password(new)
    assert told("sign_in_changed") == {alice.email}


def test_email_is_changed_by_a_code_and_the_old_address_hears_of_it(alice, client):
    old = alice.email
    client.post(EMAIL, {"email": NEW})
    assert [m.to for m in mail.outbox] == [[NEW]]

    client.post(f"{EMAIL}code/", {"code": mail_code()})

    alice.refresh_from_db()
    assert alice.email == NEW
    assert told("email_changed") == {old, NEW}
    event = AuditEvent.objects.get(type="account:change")
    assert event.detail["change"] == "email-changed"
    assert event.context["stepup_action"] == "contact"


def test_email_is_not_changed_without_a_proof(alice, client):
    proving.minutes_pass(client)

    asked = client.post(EMAIL, {"email": NEW})

    assert asked.url.startswith("/check/")
    assert mail.outbox == []
    client.post(asked.url, {"password": PASSWORD})
    assert mail.outbox


def test_email_is_not_changed_by_a_wrong_code(alice, client):
    client.post(EMAIL, {"email": NEW})

    assert client.post(f"{EMAIL}code/", {"code": "00000000"}).status_code == 422
    alice.refresh_from_db()
    assert alice.email != NEW


def test_email_of_another_account_is_refused(alice, client):
    page = client.post(EMAIL, {"email": factories.mallory().user.email})

    assert page.status_code == 422
    assert "Another account uses this email." in page.text


def test_person_signs_in_with_the_new_email_only(alice, client):
    old = alice.email
    client.post(EMAIL, {"email": NEW})
    client.post(f"{EMAIL}code/", {"code": mail_code()})
    client.post("/accounts/logout/")

    client.post("/accounts/login/", {"login": old, "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/", {"login": NEW, "password": PASSWORD})
    assert "_auth_user_id" in client.session


def test_A15_codes_are_asked_for_after_the_password(alice, client):
    proving.has_codes(alice)
    client.post("/accounts/logout/")

    answer = client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})

    assert answer.url == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    wrong = [client.post(answer.url, {"code": f"{n:06}"}).text for n in range(7)]
    assert "Too many tries" in wrong[-1]


def test_A15_a_backup_code_lets_in_once(alice, client):
    proving.has_codes(alice)
    code = proving.has_backup_codes(alice)[0]
    for lets_in in (True, False):
        client.post("/accounts/logout/")
        client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert ("_auth_user_id" in client.session) is lets_in


@pytest.mark.django_db(transaction=True)  # allauth tells of new codes when they are committed
def test_who_adds_codes_is_not_asked_again_for_the_backup_codes(alice, client):
    page = client.get("/accounts/2fa/totp/activate/").text
    session = client.session
    secret = session["mfa.totp.secret"]
    assert secret in page
    code = proving.code_of(secret)

    done = client.post("/accounts/2fa/totp/activate/", {"code": code}, follow=True)

    assert done.request["PATH_INFO"] == "/accounts/2fa/recovery-codes/"
    other = client.post("/downloads/new/", {"what": "all", "formats": "pdf"})
    assert other.url.startswith("/check/")  # another action is
