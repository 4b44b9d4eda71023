"""The whole story in a browser: read, share, watch, stop, take away, send back, prove.

One test, in the order in which it happens to a person; at each step a picture is kept.
"""

import json
import re
import secrets
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import save
from tests.browser.stack import Stack

PASSWORD = "demo-password-2026"


@pytest.fixture(params=["phone", "desktop"])
def page(request: pytest.FixtureRequest) -> Page:
    return request.getfixturevalue(request.param)


class Story:
    """One person at one browser; `picture` numbers the steps."""

    def __init__(self, page: Page, stack: Stack, folder: Path) -> None:
        self.page, self.stack, self.folder = page, stack, folder
        self.step = 0
        page.on("response", self._note_failure)
        self.failures: list[str] = []

    def _note_failure(self, response) -> None:
        if response.status >= 500:
            self.failures.append(f"{response.status} {response.url}")

    def picture(self, name: str) -> None:
        self.step += 1
        save(self.page, self.folder, f"{self.step:02}-{name}")

    def go(self, path: str) -> None:
        self.page.goto(self.stack.url + path)

    def heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def press(self, text: str) -> None:
        self.page.get_by_role("button", name=re.compile(text)).first.click()

    def follow(self, text: str) -> None:
        self.page.get_by_role("link", name=re.compile(text)).first.click()

    def sign_in(self, email: str) -> None:
        self.go("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def sign_out(self) -> None:
        self.press("Sign out")


def test_journey_from_sign_in_to_proof(page, stack, screenshots, tmp_path):
    story = Story(page, stack, screenshots)
    reads_her_results(story)
    lets_an_app_in(story)
    sees_what_it_did_and_stops_it(story)
    takes_her_records_away(story, tmp_path)
    reading = sends_a_reading(story)
    a_clinician_accepts_it(story, reading)
    sees_it_in_her_record(story, reading)
    the_log_proves_it(story)
    assert story.failures == []


def reads_her_results(story: Story) -> None:
    story.go("/")
    story.picture("welcome")
    story.sign_in("alice@demo.example")
    story.heading("Alice")
    story.picture("home")
    story.go("/results/")
    story.picture("results")
    story.follow("LDL cholesterol")
    story.heading("LDL cholesterol")
    expect(story.page.locator("svg.viz").first).to_be_visible()
    expect(story.page.get_by_text(re.compile("usual range at this lab")).first).to_be_visible()
    story.picture("result")


def lets_an_app_in(story: Story) -> None:
    page = story.page
    page.goto(story.stack.client_url)
    story.press("Connect my records")
    story.heading("Whose record?")  # she helps her son, too
    page.get_by_label("your own record").check()
    story.picture("whose-record")
    story.press("Next")
    story.heading("Share your records with GlucoTrack?")
    story.picture("consent")
    story.press("^Share")  # nothing chosen yet: nothing is shared
    story.heading("Share your records with GlucoTrack?")
    page.get_by_label("Let me choose").check()
    page.get_by_label("Test results", exact=False).first.check()
    page.get_by_label(re.compile("Name and age")).check()
    story.picture("consent-chosen")
    story.press("^Share with")
    expect(page).to_have_url(re.compile(re.escape(story.stack.client_url)))
    expect(page.get_by_text("LDL").first).to_be_visible()
    story.picture("app-reads")


def sees_what_it_did_and_stops_it(story: Story) -> None:
    page = story.page
    story.go("/activity/")
    expect(page.get_by_text(re.compile("GlucoTrack.*saw your test results")).first).to_be_visible()
    story.picture("activity")
    story.go("/apps/")
    story.picture("apps")
    story.follow("GlucoTrack")
    story.heading("GlucoTrack")
    story.picture("app")
    story.press("Stop sharing")
    story.heading("You stopped sharing")
    story.picture("app-stopped")
    page.goto(story.stack.client_url)
    page.get_by_text("Read again").first.click()
    expect(page.get_by_text(re.compile("no longer", re.IGNORECASE)).first).to_be_visible()
    story.picture("app-refused")
    story.go("/activity/?result=blocked")
    expect(page.get_by_text(re.compile("GlucoTrack.*tried")).first).to_be_visible()
    expect(page.get_by_text("you stopped sharing").first).to_be_visible()
    story.picture("activity-blocked")
    story.follow("Details")
    story.picture("activity-details")


def takes_her_records_away(story: Story, folder: Path) -> None:
    page = story.page
    story.go("/downloads/")
    story.picture("downloads")
    story.follow("Make a new file")
    story.picture("download-new")
    story.press("Make the file")
    expect(page.get_by_role("link", name="Save the file")).to_be_visible(timeout=60_000)
    story.picture("download-ready")
    with page.expect_download() as saving:
        story.follow("Save the file")
    path = folder / "records.zip"
    saving.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        lines = {o["url"]: archive.read(o["url"]).splitlines() for o in manifest["output"]}
    assert {o["url"]: o["count"] for o in manifest["output"]} == {url: len(x) for url, x in lines.items()}
    assert sum(len(x) for url, x in lines.items() if url.endswith("Observation.ndjson")) > 50
    assert b"counselling" not in b"".join(line for x in lines.values() for line in x).lower()


def sends_a_reading(story: Story) -> str:
    """Returns what it looks like, so that it can be found again: "131 over 84"."""
    top = 120 + secrets.randbelow(40)
    story.go("/add/")
    story.picture("add")
    story.follow("Send a blood pressure")
    story.page.get_by_label("Top number").fill("84")
    story.page.get_by_label("Bottom number").fill(str(top))
    story.press("Send to clinic")
    expect(story.page.get_by_role("alert")).to_contain_text("higher than the bottom number")
    story.picture("add-error")
    story.page.get_by_label("Top number").fill(str(top))
    story.page.get_by_label("Bottom number").fill("84")
    story.page.get_by_role("button", name="Send to clinic").dblclick()  # and still one reading
    expect(story.page.get_by_text("Being checked")).to_be_visible()
    story.picture("add-sent")
    story.go("/add/")
    expect(story.page.get_by_role("link", name=re.compile(f"{top} over 84"))).to_have_count(1)
    return f"{top} over 84"


def a_clinician_accepts_it(story: Story, reading: str) -> None:
    story.sign_out()
    story.sign_in("dr.osei@demo.example")
    story.go("/review/")
    story.picture("review")
    story.follow(reading)
    story.picture("review-item")
    story.press("Accept")
    story.heading("Added to the chart")
    story.picture("review-done")
    story.sign_out()


def sees_it_in_her_record(story: Story, reading: str) -> None:
    story.sign_in("alice@demo.example")
    story.go("/add/")
    expect(story.page.get_by_role("listitem").filter(has_text=reading)).to_contain_text("Added")
    story.picture("add-added")
    story.go("/results/trend/85354-9/")
    expect(story.page.get_by_role("cell", name=re.compile(reading.split()[0])).first).to_be_visible()
    story.picture("blood-pressure")


def the_log_proves_it(story: Story) -> None:
    printed = story.stack.manage("verify_audit")
    assert "The audit log is whole." in printed
