"""An emergency in a browser: a doctor opens a record, the patient reads of it, privacy staff review it."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.stack import Stack
from tests.browser.test_journey import Story

OSEI, MALLORY, CORA = (f"{name}@demo.example" for name in ("dr.osei", "mallory", "cora"))
SAID = "A doctor opened your record in an emergency"


def test_A14_break_glass_is_read_by_the_patient_and_reviewed(desktop: Page, stack: Stack, screenshots: Path):
    story = Story(desktop, stack, screenshots)
    born = stack.manage("shell", "-v0", "-c", BORN).strip().splitlines()[-1]
    a_doctor_opens_the_record(story, born)
    the_patient_reads_of_it(story)
    it_is_reviewed(story)
    assert story.failures == []


BORN = (
    "from accounts.models import Patient;"
    "print(Patient.objects.get(user__email='mallory@demo.example').birth_date)"
)


def a_doctor_opens_the_record(story: Story, born: str) -> None:
    page = story.page
    story.sign_in(OSEI)
    story.go("/review/")
    story.follow("Open a record in an emergency")
    page.get_by_label("The patient’s full name").fill("Mallory Quinn")
    page.get_by_label("Day of birth").fill(born)
    page.get_by_label("Their life or body is in danger").check()
    page.get_by_label("What happened").fill("A car crash. She does not answer.")
    page.get_by_label("I need this record").check()
    story.picture("emergency-reason")
    code = story.stack.manage("demo_code").split()[0]  # from now on she signs in with a code too
    story.press("Open the record")
    page.get_by_label("Code").fill(code)
    story.press("Go on")
    story.heading("Record of Mallory Quinn")
    expect(page.get_by_text("It closes in 15 minutes")).to_be_visible()
    story.picture("emergency-chart")
    story.press("Close it now")
    expect(page.get_by_text("The record is closed.")).to_be_visible()
    story.sign_out()


def the_patient_reads_of_it(story: Story) -> None:
    story.sign_in(MALLORY)
    expect(story.page.get_by_text(SAID).first).to_be_visible()
    story.go("/activity/")
    expect(story.page.get_by_text(SAID).first).to_be_visible()
    story.picture("emergency-activity")
    story.sign_out()


def it_is_reviewed(story: Story) -> None:
    story.sign_in(CORA)
    story.go("/admin/emergencies/")
    story.follow("Dr. Ngozi Osei")
    expect(story.page.get_by_text("A car crash. She does not answer.")).to_be_visible()
    story.picture("emergency-review")
    story.page.get_by_label("What you found").fill("The crash is in the clinic's log.")
    story.press("It was right")
    expect(story.page.get_by_text("Nothing waits.")).to_be_visible()
