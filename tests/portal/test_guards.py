"""Pages of signed-in people: what happens to a form after sign-out, and where staff without a record go."""

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from consent.models import Consent
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-9"
SOME = UUID(int=1)


@pytest.fixture
def alice():
    patient = factories.alice()
    patient.user.set_password(PASSWORD)
    patient.user.save()
    return patient


def sign_in(client: Client, email: str, address: str):
    """Through the form, as a person does."""
    return client.post(address, {"login": email, "password": PASSWORD}, follow=True)


def test_a_button_pressed_after_sign_out_leads_back_to_its_page_and_says_that_nothing_was_done(alice):
    consent, page = factories.create_consent(alice), Client(enforce_csrf_checks=True)
    page.force_login(alice.user)
    form = {"csrfmiddlewaretoken": page.get(reverse("portal:app", args=[consent.id])).context["csrf_token"]}
    page.post(reverse("account_logout"), form)
    answer = page.post(reverse("portal:app-stop", args=[consent.id]), form)
    page.handler.enforce_csrf_checks = False
    shown = sign_in(page, alice.user.email, answer.headers["Location"])

    assert shown.redirect_chain[-1][0] == reverse("portal:app", args=[consent.id])
    assert "You were signed out. Nothing was changed. Press the button again." in shown.text
    consent.refresh_from_db()
    assert consent.status == Consent.Status.ACTIVE
    assert "You were signed out" not in page.get(reverse("portal:apps")).text


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("app-stop", "app"),
        ("download-cancel", "download"),
        ("review-accept", "review-item"),
        ("review-send-back", "review-item"),
    ],
)
def test_each_form_knows_its_page(client, name, page):
    answer = client.post(reverse(f"portal:{name}", args=[SOME]))

    assert answer.headers["Location"].endswith(f"?next={reverse(f'portal:{page}', args=[SOME])}")


def test_a_page_with_its_own_form_is_its_own_page(client):
    address = reverse("portal:add-blood-pressure")

    assert client.post(address).headers["Location"].endswith(f"?next={address}")


def test_a_page_that_is_only_opened_keeps_its_whole_address(client):
    assert client.get("/activity/?who=apps").headers["Location"].endswith("?next=/activity/%3Fwho%3Dapps")
    assert "portal.not_done" not in client.session


@pytest.mark.parametrize("role", ["compliance", "administrator"])
def test_home_of_console_staff_is_the_console(client, role):
    user = factories.create_staff("Cora Lind", role)
    user.is_staff = True
    user.save()
    client.force_login(user)

    assert client.get("/").headers["Location"] == reverse("admin:index")
    assert reverse("admin:index") in client.get("/results/").text


def test_support_staff_without_a_record_are_led_to_their_desk(client):
    client.force_login(factories.create_staff("Sam Park", "support"))

    assert reverse("portal:support") in client.get("/").text
