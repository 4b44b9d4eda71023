"""A teen's birthday, seen by the teen and by her mother: told before, narrower on the day, over at 18."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stack import Stack
from tests.browser.test_journey import Story

MAYA, DANA = "maya@demo.example", "dana@demo.example"
NAME = "Maya Lindqvist"
# Michigan gives teens the most of what is theirs alone, and lets them give it back. The demo's day is real:
# days go by as the birth date moves.
BORN = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import Patient
from consent import ages, tasks
maya = Patient.objects.get(user__email="maya@demo.example")
maya.jurisdiction = "US-MI"
day = ages.today_of(maya, timezone.now()) + timedelta(days={days})
day -= timedelta(days=(day.month, day.day) == (2, 29))
maya.birth_date = day.replace(year=day.year - {age})
maya.save()
tasks.tell_of_birthdays()
tasks.expire_helpers()
print("done")
"""
TOLD = "from notices.models import Notice; print(sorted(Notice.objects.values_list('kind', flat=True)))"


@pytest.fixture
def story(phone: Page, stack: Stack, screenshots: Path) -> Story:
    return Story(phone, stack, screenshots)


def test_A13_a_teens_birthday_of_both_sides(story: Story):
    the_day_before(story)
    the_day(story)
    she_gives_something_back(story)
    she_is_of_age(story)
    assert story.failures == []


def is_of_age(story: Story, age: int, *, days: int) -> None:
    """She turns `age` in `days` days; what runs each night has run."""
    assert "done" in story.stack.manage("shell", "-v0", "-c", BORN.format(age=age, days=days))


def as_(story: Story, email: str, path: str) -> None:
    story.page.context.clear_cookies()
    story.sign_in(email)
    story.page.wait_for_url(lambda url: "/login" not in url)
    story.go(path)


def main(story: Story, text: str) -> None:
    expect(story.page.locator("main")).to_contain_text(text)


def acts(story: Story) -> None:
    as_(story, DANA, "/acting/")
    story.press(f"Act for {NAME}")
    if story.page.get_by_role("button", name="I understand").count():
        story.press("I understand")
    story.heading(NAME)


def the_day_before(story: Story) -> None:
    is_of_age(story, 11, days=2)
    told = story.stack.manage("shell", "-v0", "-c", TOLD)
    assert "['teen_soon', 'teen_soon_helper']" in told
    as_(story, MAYA, "/helpers/")
    main(story, "you turn 11. Then your helpers will see less.")
    as_(story, DANA, "/acting/")
    main(story, f"{NAME} turns 11. Then you will see less.")
    story.picture("birthday-before")
    acts(story)
    story.follow("Test results")
    expect(story.page.locator("main")).not_to_contain_text("This part is not open to you")


def the_day(story: Story) -> None:
    before = story.page.url
    is_of_age(story, 11, days=0)
    story.page.goto(before)  # the tab that was open stays where it is, and has nothing any more
    story.heading("This part is not open to you")
    story.picture("birthday-withheld")
    story.follow("See what you can open")
    expect(story.page.locator("main")).to_contain_text("Vaccines")
    as_(story, MAYA, "/helpers/")
    story.heading("What your helpers can see")
    main(story, "Hidden because you are a teen")
    story.picture("birthday-teen")
    story.go("/results/")
    expect(story.page.locator("main")).not_to_contain_text("This part is not open to you")


def she_gives_something_back(story: Story) -> None:
    story.go("/helpers/")
    story.page.get_by_role("link", name="Dana Lindqvist").first.click()
    story.press("Let them see these kinds")
    main(story, "They see these kinds of record again.")
    acts(story)
    story.follow("Test results")
    expect(story.page.get_by_role("heading", level=1)).not_to_contain_text("not open to you")


def she_is_of_age(story: Story) -> None:
    open_page = story.page.url
    is_of_age(story, 18, days=0)
    story.page.goto(open_page)
    story.heading("You cannot act for them now")
    story.go("/acting/")
    main(story, "is an adult now. So your help ended.")
    story.picture("birthday-adult")
    as_(story, MAYA, "/helpers/")
    story.heading("Who can act for you")
