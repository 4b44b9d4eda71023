"""On one phone, in one sitting: invite a helper by a code, act for somebody, switch, stop."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import save
from tests.browser.stack import Stack

PASSWORD = "demo-password-2026"


class Sitting:
    """One phone that goes from hand to hand."""

    def __init__(self, page: Page, stack: Stack, folder: Path) -> None:
        self.page, self.stack, self.folder = page, stack, folder

    def go(self, path: str) -> None:
        self.page.goto(self.stack.url + path)

    def heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def press(self, text: str) -> None:
        self.page.get_by_role("button", name=re.compile(text)).first.click()

    def sign_in(self, email: str) -> None:
        self.page.context.clear_cookies()
        self.go("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")
        self.page.wait_for_url(lambda url: "/login" not in url)

    def picture(self, name: str) -> None:
        save(self.page, self.folder, name)


@pytest.fixture
def sitting(phone: Page, stack: Stack, tmp_path: Path) -> Sitting:
    return Sitting(phone, stack, tmp_path)


def test_invite_a_helper_and_switch(sitting: Sitting):
    page = sitting.page
    sitting.sign_in("kenji@demo.example")
    sitting.go("/helpers/")
    page.get_by_role("link", name="Add a helper").click()
    page.get_by_label("Friend or other person").check()
    page.get_by_label("Visits only").check()
    page.get_by_label("Until when can they help?").fill((date.today() + timedelta(days=60)).isoformat())
    sitting.press("Get a code")
    sitting.heading("Your code")
    code = page.locator(".code code").inner_text()
    sitting.picture("code")

    sitting.sign_in("mallory@demo.example")
    sitting.go("/more/")
    page.get_by_role("link", name="Enter a code").click()
    page.get_by_label("The code").fill(code)
    sitting.press("Use the code")
    sitting.heading("Act for Kenji Tanaka")
    sitting.press("I understand")
    sitting.heading("Kenji Tanaka")
    expect(page.locator(".acting")).to_contain_text("Acting for Kenji Tanaka")
    acting_for_kenji = page.url
    page.get_by_role("link", name="Visits").first.click()
    sitting.heading("Kenji Tanaka's visits")
    sitting.picture("acting")

    other = page.context.new_page()  # an old tab of her own record
    other.goto(sitting.stack.url + "/medicines/")
    expect(other.get_by_role("heading", level=1)).to_contain_text("You are now acting for Kenji Tanaka")
    other.get_by_role("button", name="Switch back to your own record").last.click()
    expect(other.get_by_role("heading", level=1)).to_contain_text("Medicines")
    page.reload()
    sitting.heading("You are now in your own record")
    other.close()

    sitting.sign_in("kenji@demo.example")
    sitting.go("/helpers/")
    expect(page.locator("main")).to_contain_text("New. Is this who you meant?")
    page.get_by_role("button", name=re.compile("^Stop")).click()
    expect(page.locator("main")).to_contain_text("You stopped their help.")
    sitting.picture("stopped")

    sitting.sign_in("mallory@demo.example")
    sitting.go("/acting/")
    expect(page.locator("main")).to_contain_text("Your help for Kenji Tanaka ended on")
    page.goto(acting_for_kenji)
    expect(page.locator("main")).not_to_contain_text("Visits to come")


def test_acting_works_without_a_script(sitting: Sitting, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 700})
    plain = Sitting(context.new_page(), sitting.stack, sitting.folder)
    plain.sign_in("amir@demo.example")
    plain.go("/acting/")
    plain.press("Act for Tom Moreno")
    plain.press("I understand")
    plain.heading("Tom Moreno")
    plain.page.get_by_role("link", name="Vaccines").click()
    plain.heading("Tom Moreno's vaccines")
    plain.press("Switch back")
    plain.heading("Amir Moreno")
    context.close()
