"""Sharing with a doctor, a clinic or a person: one question a page, then one look at all of it."""

from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from consent.vocabulary import Category
from portal import drafts, share_steps
from portal.models import Draft
from tests import factories, proving
from tests.factories import PASSWORD
from tests.portal.browsing import browsing
from tests.portal.ehr import ALL, failing
from tests.portal.looking import wrong_on
from tests.portal.sharing import act, helper_of, propose

NEW = "/sharing/new/"
OSEI, PATEL = "Practitioner/dr-osei", "Practitioner/dr-patel"


@pytest.fixture(autouse=True)
def _no_limits_left_over() -> None:
    cache.clear()


def at(draft: Draft, step: str) -> str:
    return f"{NEW}{draft.pk}/{step}/"


def begun(client: Client, **answers: object) -> Draft:
    """A draft for Dr. Patel, with these answers."""
    client.post(NEW, {"recipient": PATEL, "do": "next"})
    return drafts.save(Draft.objects.get(outcome=""), answers)


def answered(client: Client, **answers: object) -> Draft:
    usual = {"what": "choose", "categories": ["medicines", "test-results"], "private": "none", "days": "90"}
    return begun(client, **usual | answers)


def shown_on(page: str) -> str:
    return page.partition('name="shown" value="')[2].partition('"')[0]


def send(client: Client, draft: Draft, shown: str = ""):
    """Look at the last page, and share what it says."""
    shown = shown or shown_on(client.get(at(draft, "check")).text)
    return client.post(at(draft, "check"), {"do": "share", "shown": shown})


def shares(user: User) -> list[Consent]:
    return list(user.patient.consents.filter(kind="share").order_by("created_at"))


# One question after the other


def test_every_question_by_forms_alone(alice, client):
    asked = [client.post(NEW, {"recipient": PATEL, "do": "next"}).url]
    draft = Draft.objects.get()
    for step, form in {
        "what": {"what": "all"},
        "leave-out": {"without": ["notes"], "private": "none"},
        "how-long": {"days": "30"},
    }.items():
        asked.append(client.post(at(draft, step), form | {"do": "next"}).url)
    done = send(client, draft)
    (consent,) = shares(alice)
    permit = consent.current.permit

    assert asked == [at(draft, step) for step in ("what", "leave-out", "how-long", "check")]
    assert done.url == reverse("portal:share-done", args=[consent.pk])
    assert consent.recipient == PATEL
    assert permit.categories == set(share_steps.ALL) - {Category.NOTES}
    assert permit.security_labels == frozenset()
    assert consent.period_end == share_steps.until(timezone.now(), 30)
    assert "You share with <bdi>Dr. Anil Patel</bdi>" in client.get(done.url).text


def test_each_page_says_where_it_stands(alice, client):
    draft = answered(client)
    pages = [NEW, *(at(draft, step) for step in ("what", "leave-out", "how-long", "check"))]

    for number, page in enumerate(pages, 1):
        assert f"Step {number} of 5" in client.get(page).text


def test_whom_the_record_names_can_be_chosen_the_care_team_first(alice, client):
    page = client.get(NEW).text

    assert 0 < page.index("Dr. Ngozi Osei") < page.index("Riverside Clinic</label>")
    assert "/helpers/invite/" in page
    assert "/sharing/links/new/" in page


def test_a_name_is_found_by_a_part_of_it(alice, client):
    found = client.post(NEW, {"words": "PAT", "do": "find"}).text
    none = client.post(NEW, {"words": "zzz", "do": "find"}).text

    assert PATEL in found
    assert OSEI not in found
    assert "Nobody in your records has this name." in none
    assert not Draft.objects.exists()


@pytest.mark.parametrize(
    ("step", "form", "says"),
    [
        ("who", {"recipient": "Practitioner/stranger"}, "Choose who to share with."),
        ("what", {}, "Choose what to share."),
        ("what", {"what": "choose"}, "Choose at least one kind of record."),
        ("what", {"what": "choose", "categories": ["contact"]}, "share your name and age too"),
        ("leave-out", {}, "Choose what happens with private topics."),
        ("leave-out", {"private": "choose"}, "Choose at least one private topic."),
        ("how-long", {"days": "9999"}, "Choose how long."),
        ("how-long", {"days": "keep"}, "Choose how long."),
    ],
)
def test_an_answer_that_cannot_be_is_asked_for_again(alice, client, step, form, says):
    draft = begun(client)
    page = client.post(at(draft, step), form | {"do": "next"})

    assert page.status_code == 422
    assert says in page.text


def test_left_out_of_all_are_only_things_that_can_be_apart(alice, client):
    draft = begun(client, what="all")
    page = client.post(at(draft, "leave-out"), {"without": ["demographics"], "private": "none"})

    assert "Leave your address, phone and e-mail out too." in page.text


def test_the_check_comes_after_the_other_questions(alice, client):
    draft = begun(client)

    assert client.get(at(draft, "check")).url == at(draft, "what")
    assert client.get(at(draft, "nothing")).status_code == 404


def test_without_an_ehr_nobody_can_be_chosen_and_answers_stay(alice, client, settings):
    draft = answered(client)
    with failing(settings, *ALL):
        assert client.get(at(draft, "who")).status_code == 503
        page = client.get(at(draft, "check"))

    assert "We could not count just now." in page.text
    assert drafts.answers_of(Draft.objects.get())["days"] == "90"


# The check


def test_the_check_counts_what_they_would_see(alice, client):
    few = client.get(at(answered(client, categories=["medicines"]), "check")).text
    drafts.save(Draft.objects.get(), {"categories": ["allergies"]})
    other = client.get(at(Draft.objects.get(), "check")).text

    assert '<th scope="row">Medicines</th><td class="n">' in few
    assert "<td" in other
    assert "Medicines" not in other


def test_the_check_names_what_is_left_out_of_all(alice, client):
    page = client.get(at(answered(client, what="all", without=["notes", "imaging"]), "check")).text

    assert "All your records, but not: Notes and letters, Scans and X-rays" in page


def test_each_answer_has_a_way_to_change_it(alice, client):
    draft = answered(client)
    page = client.get(at(draft, "check")).text
    client.post(at(draft, "how-long"), {"days": "365", "do": "next"})
    permit = drafts.answers_of(Draft.objects.get())

    assert all(at(draft, step) in page for step in ("who", "what", "leave-out", "how-long"))
    assert (permit["days"], permit["categories"]) == ("365", ["medicines", "test-results"])


def test_what_the_page_said_is_kept_word_for_word(alice, client):
    draft = answered(client, private="choose", topics=["mental-health"])
    send(client, draft)
    version = shares(alice)[0].current

    assert "Check what you share" in version.text_shown
    assert "Dr. Anil Patel" in version.text_shown
    assert "Mental health" in version.text_shown
    assert (version.text_language, version.channel, version.made_by) == ("en", "portal", alice)
    assert "MH" in version.permit.security_labels


def test_only_what_was_shown_is_shared(alice, client):
    draft = answered(client)
    shown = shown_on(client.get(at(draft, "check")).text)
    client.post(at(draft, "what"), {"what": "all", "do": "next"})  # in another window
    refused = send(client, draft, shown)

    assert refused.status_code == 409
    assert "Your answers changed in another window." in refused.text
    assert shares(alice) == []
    assert send(client, draft, shown_on(refused.text)).status_code == 302


def test_a_form_that_comes_twice_shares_once(alice, client):
    draft = answered(client)
    shown = shown_on(client.get(at(draft, "check")).text)
    first, second = send(client, draft, shown), send(client, draft, shown)
    (consent,) = shares(alice)

    assert first.url == second.url == reverse("portal:share-done", args=[consent.pk])
    assert consent.current_number == 1
    assert AuditEvent.objects.filter(type="consent:grant").count() == 1


def test_going_back_after_sharing_leads_to_what_was_shared(alice, client):
    draft = answered(client)
    done = send(client, draft).url

    assert {client.get(at(draft, step)).url for step in ("what", "check")} == {done}
    assert client.get(f"{NEW}{draft.pk}/").url == done
    assert drafts.answers_of(Draft.objects.get()) == {}


def test_it_asks_who_you_are_and_loses_nothing(alice, client):
    draft = answered(client)
    proving.minutes_pass(client, 60)
    asked = send(client, draft)
    page, before = client.get(asked.url).text, shares(alice)
    done = client.post(asked.url, {"password": PASSWORD})

    assert "You are about to let others see more of your records." in page
    assert before == []
    assert done.url == reverse("portal:share-done", args=[shares(alice)[0].pk])


# Drafts


def test_what_is_not_finished_waits_on_home(alice, client):
    saved = client.post(NEW, {"recipient": PATEL, "do": "later"}, follow=True).text
    draft = Draft.objects.get()
    home = client.get("/").text

    assert "Not sent yet." in saved
    assert "You did not finish this" in home
    assert f'href="{NEW}{draft.pk}/"' in home
    assert client.get(f"{NEW}{draft.pk}/").url == at(draft, "what")


def test_leaving_with_nothing_answered_keeps_nothing(alice, client):
    client.post(NEW, {"do": "later"})

    assert not Draft.objects.exists()


def test_starting_twice_for_one_recipient_goes_on_with_the_first(alice, client):
    draft = answered(client)
    again = client.post(NEW, {"recipient": PATEL, "do": "next"})

    assert again.url == at(draft, "check")
    assert Draft.objects.count() == 1


def test_a_draft_is_thrown_away(alice, client):
    draft = answered(client)
    said = client.post(f"{NEW}{draft.pk}/throw-away/", follow=True).text

    assert "We threw it away. Nothing was shared." in said
    assert not Draft.objects.exists()
    assert client.get(at(draft, "check")).status_code == 404


def test_a_draft_outlives_the_session(alice, client):
    draft = answered(client)
    client.logout()
    asked = client.get(at(draft, "how-long"))
    client.force_login(alice)

    assert "/login/" in asked.url
    assert client.get(at(draft, "how-long")).text.count("checked") == 1


def test_nobody_else_sees_a_draft(alice, client):
    draft = answered(client)
    others = [factories.mallory().user, factories.amir(alice.patient)]

    for other in others:
        client.force_login(other)
        for path in (at(draft, "check"), at(draft, "what"), f"{NEW}{draft.pk}/"):
            assert client.get(path).status_code in (403, 404)
        client.post(f"{NEW}{draft.pk}/throw-away/")
    assert Draft.objects.filter(pk=draft.pk).exists()


# Change, and share again


def shared(user: User, until: datetime | None = None, **terms: object) -> Consent:
    given = {"recipient": PATEL, "categories": [Category.IMAGING], "labels": [], **terms}
    until = until or timezone.now() + timedelta(days=9)
    return commands.share(patient=user.patient, act=act(user.patient), until=until, name="Dr. Patel", **given)


def test_a_change_starts_from_what_holds_and_adds_a_version(alice, client):
    consent = shared(alice)
    started = client.post(reverse("portal:share-again", args=[consent.pk]))
    draft = Draft.objects.get()
    client.post(at(draft, "what"), {"what": "choose", "categories": ["allergies"], "do": "next"})
    send(client, draft)
    changed = Consent.objects.get(pk=consent.pk)

    assert started.url == at(draft, "check")
    assert shares(alice) == [consent]
    assert changed.current_number == 2
    assert changed.current.permit.categories == {"allergies"}
    assert changed.period_end == consent.period_end
    assert "What you choose here takes the place of that." in changed.current.text_shown


def test_sharing_again_after_the_end_asks_how_long_alone(alice, client):
    consent = commands.revoke(shared(alice), by=alice)
    page = client.get(reverse("portal:share", args=[consent.pk])).text
    started = client.post(reverse("portal:share-again", args=[consent.pk]))
    draft = Draft.objects.get()
    client.post(at(draft, "how-long"), {"days": "30", "do": "next"})
    send(client, draft)

    assert "Share again" in page
    assert started.url == at(draft, "how-long")
    assert [one.status for one in shares(alice)] == ["inactive", "active"]


def test_an_end_that_is_kept_is_asked_for_again_once_it_is_past(alice, client):
    consent = shared(alice)
    client.post(reverse("portal:share-again", args=[consent.pk]))
    commands.revoke(consent, by=alice)
    draft = Draft.objects.get()

    assert client.get(at(draft, "check")).url == at(draft, "how-long")


def test_a_sharing_that_says_more_than_the_questions_is_not_changed_here(alice, client):
    finer = commands.answer(propose(alice.patient), agreed=True, act=act(alice.patient))
    link = shared(alice, recipient="Group/a-link")
    research = shared(alice, purposes=["HRESCH"])
    helper = helper_of(alice.patient)

    for consent in (finer, link, research):
        assert not share_steps.can_change(consent)
        assert "Change this sharing" not in client.get(reverse("portal:share", args=[consent.pk])).text
        client.post(reverse("portal:share-again", args=[consent.pk]))
    assert client.post(reverse("portal:share-again", args=[helper.pk])).status_code == 404
    assert not Draft.objects.exists()


def test_answers_of_a_sharing_make_the_same_sharing(alice):
    consent = shared(alice, labels=[*share_steps.TOPICS[0].labels])
    choice = share_steps.choice_of(
        share_steps.answers_of(consent, "Dr. Patel"), timezone.now(), share_steps.end_of(consent)
    )

    assert choice is not None
    assert set(choice.terms.categories) == consent.current.permit.categories
    assert frozenset(choice.terms.labels) == consent.current.permit.security_labels
    assert choice.terms.until == consent.period_end


# As a browser shows it


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_is_accessible(alice, client, language):
    client.post("/language/", {"language": language})
    draft = answered(client, what="all", private="choose", topics=["mental-health"])
    paths = [NEW, *(at(draft, step) for step in ("what", "leave-out", "how-long", "check"))]
    pages = {path.replace(str(draft.pk), "draft"): client.get(path) for path in paths}
    pages["/wrong/"] = client.post(at(draft, "what"), {"what": "choose", "do": "next"})
    pages["/found/"] = client.post(NEW, {"words": "zzz", "do": "find"})
    pages["/home/"] = client.get("/")
    done = send(client, draft).url
    consent = shares(alice)[0]
    pages |= {"/done/": client.get(done), "/one/": client.get(reverse("portal:share", args=[consent.pk]))}
    pages["/hub/"] = client.get(reverse("portal:sharing"))
    looks = [(320, "dark"), (390, "light"), (1280, "light")]
    with browsing(pages) as page:
        assert wrong_on(page, pages, looks, language=language) == {}
