"""A13 to A16, A22: session keys, clocks that disagree, circles of deciders, and who is in here at all."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth import hashers
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import providers, sessions
from accounts.relations import Refused
from consent import helper_rights, sign_in_rules
from smart.models import SignIn
from tests import factories, proving

pytestmark = pytest.mark.django_db
DANGEROUS = "/settings/security/email/"


@pytest.fixture
def alice():
    return factories.alice()


def signed_in(user):
    """By the sign-in page, so that the session is one of the list of devices."""
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": factories.PASSWORD})
    return client


def old_cookie_is_nobodys(old):
    thief = Client()
    thief.cookies["session"] = old
    assert thief.get("/more/").wsgi_request.user.is_anonymous
    assert not Session.objects.filter(session_key=old).exists()


def rests_on(session_key, user):
    """A token family of an app that was let in by this session."""
    return SignIn.objects.create(
        token_family=uuid4(), user=user, session_key=session_key, acr="", amr=[]
    ).token_family


def test_A15_a_proof_changes_the_key_and_what_rests_on_the_session_goes_along(alice):
    client = signed_in(alice.user)
    old = client.session.session_key
    family = rests_on(old, alice.user)
    proving.minutes_pass(client, 25)
    asked = client.post(
        "/downloads/new/", {"what": "choose", "categories": ["test-results"], "formats": ["pdf"]}
    )

    client.post(asked.url, {"password": factories.PASSWORD})

    new = client.session.session_key
    assert new != old
    assert SignIn.objects.get(token_family=family).session_key == new
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [new]
    old_cookie_is_nobodys(old)
    assert not client.get("/more/").wsgi_request.user.is_anonymous


def test_A15_acting_for_somebody_changes_the_key_and_so_does_its_end(alice):
    relation = factories.let_help(alice.user, factories.tom(), "PRN")
    client = signed_in(alice.user)
    keys = [client.session.session_key]

    for who in (str(relation.pk), "me"):
        client.post("/acting/switch/", {"who": who, "agree": "on"})
        keys.append(client.session.session_key)

    assert len(set(keys)) == 3
    old_cookie_is_nobodys(keys[0])
    old_cookie_is_nobodys(keys[1])


def test_A15_a_session_that_was_ended_meanwhile_is_not_brought_back(alice, rf):
    client = signed_in(alice.user)
    request = rf.get("/")
    request.session = client.session
    Session.objects.all().delete()

    sessions.renew(request)

    assert not Session.objects.exists()


@pytest.mark.parametrize("stamp", [sessions.STARTED, sessions.SEEN])
def test_A15_a_session_from_the_future_is_over(alice, stamp):
    client = signed_in(alice.user)
    session = client.session
    session[stamp] = time.time() + 3600
    session.save()

    assert client.get("/medicines/").status_code == 302
    assert client.get("/more/").wsgi_request.user.is_anonymous


def test_A15_a_sign_in_from_the_future_is_late_enough_for_nothing():
    now = timezone.now()

    def lacks(at):
        return sign_in_rules.lacking("create", (), acr="", authenticated_at=at, now=now)

    assert lacks(now) is None
    assert lacks(now + timedelta(seconds=30)) is None  # as far as clocks may differ
    assert lacks(now + timedelta(hours=1)) is not None


@pytest.mark.parametrize(("seconds", "holds"), [(-3600, False), (0, True), (30, True), (3600, False)])
def test_A15_a_provider_whose_clock_is_ahead_makes_no_old_sign_in_fresh(seconds, holds):
    claims, asked_at = {"auth_time": int(time.time()) + seconds}, time.time()
    if holds:
        providers._check_fresh(claims, asked_at)
        return
    with pytest.raises(providers.Failed):
        providers._check_fresh(claims, asked_at)


def test_A13_nobody_decides_for_themself_by_way_of_others():
    ann, ben, cem = (factories.create_patient(name) for name in ("Ann Ash", "Ben Birk", "Cem Cano"))
    factories.let_help(ben.user, ann, "GUARD", basis="guardian")
    factories.let_help(cem.user, ben, "GUARD", basis="guardian")
    now = timezone.now()
    asked = {"relationship": "GUARD", "basis": "guardian", "until": now + timedelta(days=9), "now": now}

    with pytest.raises(Refused) as refused:  # Ann decides for Cem, who decides for Ben, who decides for Ann
        helper_rights.check(cem, ann.user, **asked)
    assert refused.value.code == "helper.circular"

    helper_rights.check(factories.create_patient("Dee Dahl"), ann.user, **asked)


def test_A22_a_sign_in_costs_the_same_whoever_it_is_for(alice, monkeypatch):
    """One password is hashed, whether there is such an account, a closed one, or one without a password."""
    closed, without = factories.create_user("Cy"), factories.create_user("Wim")
    closed.is_active = False
    closed.save()
    without.set_unusable_password()
    without.save()
    hasher, hashed = type(hashers.get_hasher()), []
    encode = hasher.encode
    monkeypatch.setattr(hasher, "encode", lambda *args, **kw: hashed.append(1) or encode(*args, **kw))

    def answer(email):
        hashed.clear()
        page = Client().post("/accounts/login/", {"login": email, "password": "wrong password 1"})
        return page.status_code, len(hashed), page.text.count("alert")

    answers = {answer(email) for email in (alice.user.email, "no@demo.example", closed.email, without.email)}
    assert len(answers) == 1, answers


def test_A22_a_new_password_is_answered_the_same_and_each_gets_one_mail(alice, mailoutbox):
    pages = [
        Client().post("/accounts/password/reset/", {"email": email})
        for email in (alice.user.email, "nobody@demo.example")
    ]

    assert len({(page.status_code, page.url) for page in pages}) == 1
    assert [len(mail.to) for mail in mailoutbox] == [1, 1]


def test_A15_who_asks_for_anothers_new_password_keeps_no_link_from_them(alice, mailoutbox):
    for _ in range(8):
        Client(REMOTE_ADDR="198.51.100.7").post("/accounts/password/reset/", {"email": alice.user.email})

    # More are not sent, and those that were sent are the owner's to use.
    assert 1 <= len(mailoutbox) <= 5
    assert {tuple(mail.to) for mail in mailoutbox} == {(alice.user.email,)}


def test_A14_a_proof_for_one_record_in_an_emergency_is_no_proof_in_another_session(alice):
    osei = factories.dr_osei()
    proving.has_codes(osei)
    one, other = Client(), Client()
    one.force_login(osei)
    other.force_login(osei)
    form = {
        "name": "Alice Moreno",
        "born": "1979-04-17",
        "why": "life",
        "text": "A car crash.",
        "agreed": "on",
    }
    asked = one.post("/review/emergency/", form)
    one.post(asked.url, {"code": proving.code_now()})

    assert "/check/" in other.post("/review/emergency/", form).url
    assert other.get(asked.url).status_code == 404
