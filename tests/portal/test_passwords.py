"""15 characters, or 8 where a second factor is asked for at each sign-in (NIST SP 800-63B-4, 3.1.1.2)."""

import pytest
from django.core.cache import cache

from accounts.models import User
from tests import factories, proving
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
SHORT, LONG = "kx9-lamp", "violet umbrella tractor"
CHANGE = "/accounts/password/change/"


@pytest.fixture
def alice(client):
    cache.clear()
    user = factories.alice().user
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return user


def has_codes(client, user):
    """With a proof by them, as who has just set them up."""
    proving.has_codes(user)
    check = client.get(CHANGE).url
    client.post(check, {"code": proving.code_now()})


def change(client, password):
    return client.post(CHANGE, {"oldpassword": PASSWORD, "password1": password, "password2": password})


def change_and_sign_in(client, user, password):
    """A password that changes ends the session."""
    change(client, password)
    client.post("/accounts/login/", {"login": user.email, "password": password})
    client.post("/accounts/2fa/authenticate/", {"code": proving.code_now()})


def takes(user, password):
    return User.objects.get(pk=user.pk).check_password(password)


def test_8_characters_alone_are_too_few(alice, client):
    answer = change(client, SHORT)

    assert "Use at least 15 characters." in answer.text
    assert not takes(alice, SHORT)


def test_8_are_enough_beside_a_second_factor_and_7_are_not(alice, client):
    has_codes(client, alice)
    assert "Use at least 8 characters." in change(client, SHORT[:7]).text

    change(client, SHORT)

    assert takes(alice, SHORT)
    assert User.objects.get(pk=alice.pk).has_short_password


def test_last_second_factor_stays_with_a_short_password(alice, client):
    has_codes(client, alice)
    change_and_sign_in(client, alice, SHORT)

    answer = client.get("/accounts/2fa/totp/deactivate/", follow=True)
    client.post("/accounts/2fa/totp/deactivate/")

    assert "Your password is short" in answer.text
    assert alice.authenticator_set.filter(type="totp").exists()


def test_it_goes_once_the_password_is_longer(alice, client):
    has_codes(client, alice)
    change_and_sign_in(client, alice, LONG)

    client.post("/accounts/2fa/totp/deactivate/")

    assert not alice.authenticator_set.filter(type="totp").exists()


def test_of_two_second_factors_one_can_go(alice, client):
    has_codes(client, alice)
    change_and_sign_in(client, alice, SHORT)
    proving.has_passkey(alice)

    client.post("/accounts/2fa/totp/deactivate/")

    assert not alice.authenticator_set.filter(type="totp").exists()
