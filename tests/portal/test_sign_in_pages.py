"""The pages and e-mails about signing in speak as the rest of the portal does."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from demo.people import PASSWORD
from portal.browsers import browser_words
from tests import proving

CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


@pytest.fixture(autouse=True)
def _nobody_tried_before() -> None:
    cache.clear()  # counts of tries, by address


@pytest.fixture
def signed_in(alice, client: Client) -> Client:
    """Alice after a real sign-in, so that the list of sessions has one."""
    client.logout()
    client.post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}, headers={"user-agent": CHROME}
    )
    return client


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (CHROME, "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Firefox/140.0", "Firefox on Mac"),
        ("curl/8", "A browser"),
        ("", "A browser"),
    ],
)
def test_browser_is_named_in_words(user_agent, words):
    assert str(browser_words(user_agent)) == words


def test_list_of_sessions_names_the_browser(signed_in):
    page = signed_in.get("/settings/devices/", headers={"user-agent": CHROME}).text

    assert "Chrome on Linux" in page
    assert "Mozilla" not in page


def test_mail_for_a_new_password_is_ours(alice, client):
    client.post("/accounts/password/reset/", {"email": alice.email})

    sent = mail.outbox[0]
    assert sent.subject == "Choose a new password"
    assert "/accounts/password/reset/key/" in sent.body
    assert "Hello from" not in sent.body
    assert "555-0100" in sent.body


def test_mail_to_an_unknown_address_offers_no_account(db, client):
    client.post("/accounts/password/reset/", {"email": "nobody@demo.example"})

    sent = mail.outbox[0]
    assert sent.subject == "No account with this email"
    assert "http" not in sent.body
    assert "testserver" not in sent.body + sent.subject


def test_who_is_signed_in_is_called_by_name(alice, client):
    page = client.get("/accounts/password/reset/").text

    assert "User/" not in page
    assert 'class="note">You are signed in as <bdi>Alice Moreno</bdi>' in page


def test_address_is_not_changed_here(alice, client):
    assert client.get("/accounts/email/").status_code == 404


def test_many_wrong_passwords_say_what_to_do(alice, client):
    client.logout()
    wrong = {"login": alice.email, "password": "not-the-password"}
    pages = [client.post("/accounts/login/", wrong).text for _ in range(12)]

    assert "call your clinic at 555-0100" in pages[-1] or "tel:555-0100" in pages[-1]
    assert "Too many tries" in pages[-1]


def test_headings_are_ours(signed_in):
    assert "<h1>How you sign in</h1>" in signed_in.get("/settings/security/").text
    proving.minutes_pass(signed_in)
    asked = signed_in.get("/activity/list/csv/")
    assert "<h1>Check it is you</h1>" in signed_in.get(asked.url).text


def test_setting_up_codes_has_a_picture_on_white(signed_in):
    page = signed_in.get("/accounts/2fa/totp/activate/").text

    assert 'class="qr" src="data:image/svg' in page
    assert "issuer=Chartkey" in page or "testserver" not in page


@pytest.mark.parametrize("language", ["en", "es"])
def test_help_calls_the_link_as_it_is_called(db, client, language):
    client.cookies["django_language"] = language
    login = client.get("/accounts/login/").text
    link = re.search(rf"<a[^>]*{reverse('account_reset_password')}[^>]*>([^<]+)</a>", login)[1]

    assert link.strip() in client.get("/help/").text


def test_design_page_is_not_for_patients(alice, client):
    assert "/design/" not in client.get("/").text


ENGLISH = re.compile(r"\b(the|and|your|you|of|is|are|from|with)\b", re.IGNORECASE)
RECORD_DATA = re.compile(r"<(bdi|pre|h3|code)\b.*?</|<p class=\"vs\">.*?</p>", re.DOTALL)
PAGES = [
    *("/", "/records/", "/results/", "/vitals/", "/vaccines/", "/more/", "/help/", "/apps/", "/activity/"),
    *("/downloads/", "/downloads/new/", "/add/", "/add/blood-pressure/", "/results/alice-ldl-4/"),
    *("/results/alice-bp-4/", "/results/trend/13457-7/", "/settings/devices/", "/settings/security/"),
    *("/accounts/password/change/", "/accounts/password/reset/", "/accounts/logout/"),
    *("/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/add/"),
    *("/allergies/", "/conditions/", "/documents/", "/nowhere/"),
]


@pytest.mark.parametrize("path", PAGES)
def test_page_in_spanish_has_no_english_left(signed_in, path):
    signed_in.cookies["django_language"] = "es"

    page = signed_in.get(path, headers={"user-agent": CHROME}).text
    text = re.sub(r"<[^>]+>", " ", RECORD_DATA.sub(" ", page))

    assert 'lang="es"' in page
    assert [line.strip() for line in text.splitlines() if ENGLISH.search(line)] == []
