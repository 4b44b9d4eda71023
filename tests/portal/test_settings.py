"""Settings: language, time, and how soon a person hears of what."""

import pytest

from accounts.models import User
from notices import commands
from notices.kinds import KINDS
from notices.topics import Delivery, Topic
from portal.views.settings import ALWAYS

ALL_DAILY = dict.fromkeys(("sharing", "helpers", "answers", "files"), "daily")


def test_language_and_time_hold_from_the_next_page_on(alice, client):
    response = client.post("/settings/", {"language": "es", "time_zone": "America/Denver"}, follow=True)

    assert "Se guardaron sus ajustes." in response.text
    user = User.objects.get(pk=alice.pk)
    assert (user.language, user.time_zone) == ("es", "America/Denver")


@pytest.mark.parametrize("wrong", [{"language": "tlh"}, {"language": "en", "time_zone": "Mars/Base"}])
def test_what_is_not_offered_is_refused_and_nothing_changes(alice, client, wrong):
    assert client.post("/settings/", wrong).status_code == 422
    assert User.objects.get(pk=alice.pk).language == "en"


def test_a_person_chooses_how_often_we_write(alice, client):
    page = client.get("/settings/notices/").text
    assert alice.email in page
    assert "Always at once" in page

    client.post("/settings/notices/", {**ALL_DAILY, "answers": "portal"})

    chosen = commands.preferences(f"User/{alice.pk}")
    assert chosen[Topic.ANSWERS] is Delivery.PORTAL
    assert chosen[Topic.FILES] is Delivery.DAILY


@pytest.mark.parametrize("wrong", [{}, {**ALL_DAILY, "files": "never"}])
def test_a_topic_without_an_answer_is_asked_for_again(alice, client, wrong):
    assert client.post("/settings/notices/", {"x": "1", **wrong}).status_code == 422
    assert commands.preferences(f"User/{alice.pk}")[Topic.FILES] is Delivery.NOW


def test_nobody_can_choose_away_what_is_about_safety(alice, client):
    client.post("/settings/notices/", {**ALL_DAILY, "safety": "portal"})

    assert Topic.SAFETY not in commands.preferences(f"User/{alice.pk}")


def test_what_the_page_says_goes_at_once_does():
    assert {KINDS[name].topic for name in ALWAYS} == {Topic.SAFETY}
