"""An account from a clinic's code, with a passkey that Chromium makes, and a proof around a download."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import save
from tests.browser.stack import Stack

SECRET = "violet umbrella tractor"
WHO = """
from accounts.models import Patient
tom = Patient.objects.get(name="Tom Moreno")
print(tom.pk, tom.birth_date.isoformat())
"""
AN_HOUR_PASSES = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
for key in Session.objects.values_list("session_key", flat=True):
    store = SessionStore(key)
    for record in store.get("account_authentication_methods", []):
        record["at"] -= 3600
    store["aged"] = True
    store.save()
"""


@pytest.fixture
def site(stack: Stack) -> str:
    """Passkeys belong to a name, and an IP address is none."""
    return stack.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def with_authenticator(desktop: Page) -> Page:
    """A browser whose device has a fingerprint reader that always says yes."""
    session = desktop.context.new_cdp_session(desktop)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}
    proves = {"hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options | proves})
    return desktop


def mail_code(stack: Stack) -> str:
    mails = sorted((stack.var / "mail").iterdir(), key=lambda path: path.stat().st_mtime)
    return re.search(r"\b\d{8}\b", mails[-1].read_text())[0]


def press(page: Page, text: str) -> None:
    page.get_by_role("button", name=text, exact=True).first.click()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def test_account_passkey_and_a_proof_that_loses_nothing(with_authenticator, stack, site, screenshots):
    page = with_authenticator
    makes_an_account(page, stack, site, screenshots)
    signs_in_with_the_passkey(page, site)
    saves_a_file_after_an_hour(page, stack, site, screenshots)


def makes_an_account(page, stack, site, folder) -> None:
    patient, birth_date = stack.manage("shell", "-v", "0", "-c", WHO).split()[-2:]
    code = re.search(r"(?:[A-Z2-9]{4}-){2}[A-Z2-9]{4}", stack.manage("activation", patient))[0]
    page.goto(f"{site}/activate/")
    page.get_by_label("Code from your clinic").fill(code)
    page.get_by_label("Your name").fill("Tom Moreno")
    page.get_by_label("Your birth date").fill(birth_date)
    save(page, folder, "sign-in-1-activate")
    press(page, "Go on")
    page.get_by_label("Your email").fill("tom@demo.example")
    page.get_by_label("A new password").fill(SECRET)
    press(page, "Go on")
    heading(page, "Check your email")
    page.get_by_label("Code from the email").fill(mail_code(stack))
    press(page, "Make my account")
    heading(page, "Add a passkey")
    page.get_by_label("A name for it").fill("Tom's laptop")
    save(page, folder, "sign-in-2-passkey")
    press(page, "Add a passkey")
    expect(page).to_have_url(re.compile("recovery-codes"))
    page.goto(f"{site}/settings/security/")
    expect(page.get_by_text("Tom's laptop")).to_be_visible()
    save(page, folder, "sign-in-3-security")


def signs_in_with_the_passkey(page, site) -> None:
    press(page, "Sign out")
    page.goto(f"{site}/accounts/login/?next=/more/")
    press(page, "Use a passkey")
    heading(page, "More")


def saves_a_file_after_an_hour(page, stack, site, folder) -> None:
    stack.manage("shell", "-v", "0", "-c", AN_HOUR_PASSES)
    page.goto(f"{site}/downloads/new/")
    page.get_by_label("Let me choose").check()
    page.get_by_label("Vaccines").first.check()
    press(page, "Make the file")
    heading(page, "Check it is you")
    expect(page.get_by_label("Your password")).to_have_count(0)  # there is a passkey now
    save(page, folder, "sign-in-4-check")
    press(page, "Use a passkey")
    expect(page).to_have_url(re.compile(r"/downloads/[0-9a-f-]{36}/"))
    kept = "from exports.models import ExportJob as E; print(E.objects.latest('created_at').categories)"
    assert "['vaccines']" in stack.manage("shell", "-v", "0", "-c", kept)
