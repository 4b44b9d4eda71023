"""Who can see the records: the page of everyone, and every change to them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Patient
from consent import commands
from consent.directives import directives
from consent.vocabulary import Category, Purpose
from portal import limits, viewers
from tests import factories
from tests.portal.ehr import ALL, failing
from tests.portal.sharing import (
    SUD,
    Status,
    act,
    helper_of,
    limit_of,
    post,
    propose,
    refreshed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client) -> Patient:
    patient = factories.alice()
    factories.load_records(factories.lab_result(patient, "private-lab", meta=SUD))
    client.force_login(patient.user)
    return patient


# The page of everyone


def test_a_patient_who_shares_with_nobody_sees_the_usual_rules_and_no_pause(alice, client):
    page = client.get(reverse("portal:sharing")).text

    assert "not sharing with any apps" in page
    assert "Doctors and nurses who treat you see your records." in page
    assert "Nobody sees this unless you say yes." in page  # research
    assert "Pause all sharing" not in page


def test_everyone_who_can_see_something_stands_on_the_page(alice, client):
    app, helper = factories.create_consent(alice), helper_of(alice)
    page = client.get(reverse("portal:sharing")).text

    assert reverse("portal:app", args=[app.pk]) in page
    assert reverse("portal:share", args=[helper.pk]) in page
    assert "You share with <bdi>Acme</bdi> until" in page
    assert "You share with <bdi>Amir Moreno</bdi> until" in page


def test_home_leads_there_and_says_what_waits(alice, client):
    propose(alice)
    helper_of(alice)
    page = client.get("/").text

    assert f'href="{reverse("portal:sharing")}"' in page
    assert "1 request waits for your answer." in page
    assert "Amir Moreno" in page


def test_a_name_is_only_text(alice, client):
    hostile = factories.acme_client()  # registration refuses such a name; an older row may have one
    hostile.name = "<script>alert(1)</script>"
    hostile.save()
    factories.create_consent(alice, hostile)

    assert "<script>alert" not in client.get(reverse("portal:sharing")).text


def test_a_recipient_is_called_by_the_name_that_the_ehr_has(alice, client):
    heart = {"resourceType": "Organization", "id": "heart", "name": "Heart Clinic"}
    factories.load_records(heart)
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)

    assert "Heart Clinic" in client.get(reverse("portal:sharing")).text


def test_an_ehr_that_is_down_costs_names_only(alice, client, settings):
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)
    with failing(settings, *ALL):
        page = client.get(reverse("portal:sharing"))

    assert page.status_code == 200
    assert "Someone whose name we do not know" in page.text


# Pause and start again


def test_a_pause_stops_everyone_and_is_undone(alice, client):
    app, helper = factories.create_consent(alice), helper_of(alice)
    paused = post(client, "sharing-pause")
    states = {refreshed(app).status, refreshed(helper).status}
    resumed = post(client, "sharing-resume")

    assert states == {Status.PAUSED}
    assert "All sharing is paused. You can start it again on this page." in paused
    assert "Start sharing again" in paused
    assert "Sharing is on again, as it was before." in resumed
    assert {refreshed(app).status, refreshed(helper).status} == {Status.ACTIVE}


def test_what_was_read_before_a_pause_is_kept_with_it(alice, client):
    consent = factories.create_consent(alice)
    post(client, "sharing-pause")
    version = refreshed(consent).current

    assert "This does not delete what they already have." in version.text_shown
    assert (version.text_language, version.channel, version.made_by) == ("en", "portal", alice.user)


def test_an_app_that_is_paused_says_so_and_can_still_be_stopped(alice, client):
    consent = factories.create_consent(alice)
    post(client, "sharing-pause")
    page = client.get(reverse("portal:app", args=[consent.pk])).text
    counted = client.get(reverse("portal:app-sees", args=[consent.pk])).text
    stopped = post(client, "app-stop", consent.pk)

    assert "This app sees nothing until you start again." in page
    assert "because you paused all sharing" in counted
    assert "lost access at" in stopped


def test_a_clinic_that_is_paused_still_sees_what_a_care_team_sees(alice, client):
    terms = {"categories": [Category.IMAGING], "labels": [], "until": timezone.now() + timedelta(days=9)}
    commands.share(patient=alice, recipient="Organization/heart", act=act(alice), **terms)

    assert "If they treat you, they see what your care team sees." in post(client, "sharing-pause")


# Uses that hold by default


def test_a_no_is_told_back_and_undone(alice, client):
    said = post(client, "sharing-use", "payment", do="no")
    choice = alice.consents.get(kind="preference")
    undone = post(client, "sharing-use", "payment", do="undo")

    assert "Paying for your care: you said no. You can undo this here." in said
    assert "Your health plan may then not pay." in choice.current.text_shown
    assert "the usual rule holds again" in undone
    assert refreshed(choice).status == Status.INACTIVE


def test_a_yes_opens_what_is_closed_by_default(alice, client):
    closed = client.get(reverse("portal:sharing-use", args=["research"])).text
    opened = post(client, "sharing-use", "research", do="yes")

    assert "Say yes to this" in closed
    assert "You said yes to this." in opened
    assert "The usual rule is no." in opened


@pytest.mark.parametrize("directive", sorted(directives()))
def test_every_use_has_a_page_with_words_of_its_own(alice, client, directive):
    page = client.get(reverse("portal:sharing-use", args=[directive]))

    assert page.status_code == 200
    assert str(viewers.USES[directive].what) in page.text


def test_a_use_that_is_not_is_not_there(alice, client):
    assert client.get(reverse("portal:sharing-use", args=["nonsense"])).status_code == 404


# What waits for an answer


@pytest.mark.parametrize(
    ("do", "status", "words"),
    [("agree", Status.ACTIVE, "You agreed."), ("decline", Status.REJECTED, "You said no.")],
)
def test_a_proposal_is_answered(alice, client, do, status, words):
    proposed = propose(alice)
    page = client.get(reverse("portal:sharing")).text
    told = post(client, "sharing-answer", proposed.pk, do=do)

    assert "Dr. Lena Hart" in page
    assert "Scans and X-rays" in page
    assert words in told
    assert refreshed(proposed).status == status
    assert "Scans and X-rays" in refreshed(proposed).current.text_shown


def test_an_answer_counts_once(alice, client):
    proposed = propose(alice)
    post(client, "sharing-answer", proposed.pk, do="decline")
    told = post(client, "sharing-answer", proposed.pk, do="agree")

    assert "This was answered before. Nothing changed." in told
    assert refreshed(proposed).status == Status.REJECTED


def test_neither_yes_nor_no_is_no_answer(alice, client):
    proposed = propose(alice)
    post(client, "sharing-answer", proposed.pk, do="")

    assert refreshed(proposed).status == Status.PROPOSED


def test_nobody_answers_their_own_limit(alice, client):
    limit = limit_of(alice)

    assert client.post(reverse("portal:sharing-answer", args=[limit.pk]), {"do": "agree"}).status_code == 404
    assert refreshed(limit).status == Status.PROPOSED


# Limits


def test_a_limit_is_asked_for_waits_and_is_taken_back(alice, client):
    asked = post(client, "sharing-limit", what="choose", categories="imaging", whom="plan")
    limit = alice.consents.get(kind="restriction")
    back = post(client, "sharing-stop", limit.pk)

    assert "We sent this to your clinic." in asked
    assert "Your clinic has not answered yet." in asked
    assert "Scans and X-rays" in asked
    assert limit.status == Status.PROPOSED
    assert "Your clinic answers. It can say no." in limit.current.text_shown
    assert "You took your limit back." in back
    assert refreshed(limit).status == Status.INACTIVE


def test_the_same_limit_is_asked_for_once(alice, client):
    for _ in range(2):
        told = post(client, "sharing-limit", what="all", whom="everyone")

    assert "You asked for this before." in told
    assert alice.consents.filter(kind="restriction").count() == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "Choose what to keep back."),
        ({"what": "choose", "whom": "plan"}, "Choose at least one kind of record."),
        ({"what": "all", "whom": "nobody"}, "is not one of the available choices"),
    ],
)
def test_a_limit_that_says_too_little_is_asked_about_again(alice, client, data, words):
    page = client.post(reverse("portal:sharing-limit"), data)

    assert page.status_code == 422
    assert words in page.text
    assert not alice.consents.exists()


def test_no_limit_closes_the_record_in_an_emergency():
    purposes = frozenset().union(*(these for _, these in limits.WHOM.values()))

    assert purposes == frozenset(Purpose) - limits.EMERGENCY


@pytest.mark.parametrize("whom", sorted(limits.WHOM))
def test_a_limit_is_told_back_in_the_words_it_was_asked_in(alice, client, whom):
    post(client, "sharing-limit", what="all", whom=whom)
    limit = alice.consents.get(kind="restriction")

    assert limits.whom_of(limit) == [limits.WHOM[whom][0]]
    assert [str(kind) for kind in limits.what_of(limit)] == ["All your records"]


# One sharing with a person or a clinic


def test_a_helper_is_stopped_on_their_page(alice, client):
    helper = helper_of(alice)
    page = client.get(reverse("portal:share", args=[helper.pk])).text
    stopped = post(client, "sharing-stop", helper.pk)

    assert "Stop sharing with <bdi>Amir Moreno</bdi>" in page
    assert "You stopped sharing with Amir Moreno." in stopped
    assert refreshed(helper).status == Status.INACTIVE


@pytest.mark.parametrize("name", ["sharing-pause", "sharing-resume", "sharing-stop", "sharing-answer"])
def test_changes_take_a_post(alice, client, name):
    args = [helper_of(alice).pk] if name in ("sharing-stop", "sharing-answer") else []

    assert client.get(reverse(f"portal:{name}", args=args)).status_code == 405


@pytest.mark.parametrize("name", ["share", "sharing-stop", "sharing-answer"])
def test_A9_the_sharing_of_another_patient_does_not_exist(alice, client, name):
    mallory = factories.mallory()
    theirs = propose(mallory) if name == "sharing-answer" else helper_of(mallory)
    address = reverse(f"portal:{name}", args=[theirs.pk])
    answer = client.get(address) if name == "share" else client.post(address, {"do": "agree"})

    assert answer.status_code == 404
    assert refreshed(theirs).current_number == 1
