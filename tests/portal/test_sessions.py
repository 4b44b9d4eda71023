"""Sessions: how long they last, what is kept when they end, where they are, and who may end them."""

import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import devices
from accounts.sessions import LIMITS, Kind
from audit.models import AuditEvent
from exports.models import ExportJob
from notices.models import Notice
from tests import factories, proving
from tests.factories import PASSWORD

LOGIN = "/accounts/login/"
NEW = "/downloads/new/"
FORM = {"what": "choose", "categories": ["test-results"], "formats": ["pdf"]}
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1"


@pytest.fixture(autouse=True)
def _nobody_tried_before():
    cache.clear()


@pytest.fixture
def alice(db):
    return factories.alice().user


def sign_in(client, user, *, agent="", **ticked):
    return client.post(
        LOGIN, {"login": user.email, "password": PASSWORD, **ticked}, headers={"user-agent": agent}
    )


def is_in(client):
    return "_auth_user_id" in client.session


def ends():
    found = AuditEvent.objects.filter(type="session:end").order_by("id")
    return [event.detail["why"] for event in found]


# Time


@pytest.mark.parametrize(("minutes", "stays"), [(29, True), (31, False)])
def test_a_session_ends_when_nothing_happens(alice, client, minutes, stays):
    sign_in(client, alice)
    proving.nothing_happens(client, minutes)

    page = client.get("/more/")

    assert is_in(client) is stays
    assert (page.status_code == 200) is stays
    assert ends() == ([] if stays else ["idle"])


def test_a_session_ends_however_much_happens(alice, client):
    sign_in(client, alice)
    proving.signed_in_ago(client, 12 * 60 + 1)

    client.get("/more/")

    assert not is_in(client)
    assert ends() == ["too-long"]


@pytest.mark.parametrize(("minutes", "stays"), [(4, True), (6, False)])
def test_on_a_shared_computer_it_ends_soon(alice, client, minutes, stays):
    sign_in(client, alice, shared="on")
    proving.nothing_happens(client, minutes)
    client.get("/more/")

    assert is_in(client) is stays


def test_staff_have_less_time(db, client):
    client.force_login(factories.create_staff("Sam", "support"))
    proving.nothing_happens(client, 16)
    client.get("/more/")

    assert not is_in(client)


def test_requests_make_it_longer_and_are_not_written_down_each(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 20)
    client.get("/help/")
    proving.nothing_happens(client, 20)
    client.get("/help/")
    assert is_in(client)

    with CaptureQueriesContext(connection) as queries:
        client.get("/help/")
    assert [q["sql"] for q in queries if q["sql"].startswith(("UPDATE", "INSERT"))] == []


def test_looking_at_the_time_makes_it_no_longer(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 28.5)

    said = client.get("/session/")
    assert "In 2 minutes we sign you out" in said.text
    proving.nothing_happens(client, 2)
    assert "You were signed out. What you typed is still here." in client.get("/session/").text


def test_staying_makes_it_longer(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 28.5)

    assert "In 2 minutes" not in client.post("/session/").text
    proving.nothing_happens(client, 20)
    client.get("/more/")
    assert is_in(client)


def test_a_session_that_is_over_cannot_be_made_longer(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 31)

    client.post("/session/")
    client.get("/more/")

    assert not is_in(client)


def test_a_page_asks_when_it_could_be_time(alice, client):
    sign_in(client, alice)

    delay = int(re.search(r"load delay:(\d+)s", client.get("/more/").text)[1])
    assert LIMITS[Kind.OWN].idle - 125 <= delay <= LIMITS[Kind.OWN].idle - 115


# What was typed


def test_a_form_that_came_too_late_is_kept_and_sent_when_its_owner_says_so(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 31)

    asked = client.post(NEW, FORM)
    assert asked.url == f"{LOGIN}?next=/late/"
    assert sign_in_to(client, asked.url, alice).url == "/late/"
    assert not ExportJob.objects.exists()
    assert "Nothing was changed yet." in client.get("/late/").text
    client.post("/late/", {"do": "send"})

    assert ExportJob.objects.get().categories == ["test-results"]


def sign_in_to(client, url, user):
    return client.post(url, {"login": user.email, "password": PASSWORD})


def test_it_is_not_sent_if_they_say_no_nor_twice(alice, client):
    for answers in (["drop", "send"], ["send", "send"]):
        sign_in(client, alice)
        proving.nothing_happens(client, 31)
        sign_in_to(client, client.post(NEW, FORM).url, alice)
        for answer in answers:
            client.post("/late/", {"do": answer})

    assert ExportJob.objects.count() == 1


def test_A15_somebody_else_who_signs_in_next_does_not_send_it(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 31)
    asked = client.post(NEW, FORM)
    mallory = factories.mallory().user
    sign_in_to(client, asked.url, mallory)

    assert client.get("/late/").url == "/"
    client.post("/late/", {"do": "send"})
    assert not ExportJob.objects.exists()


def test_on_a_shared_computer_nothing_is_kept(alice, client):
    sign_in(client, alice, shared="on")
    proving.nothing_happens(client, 6)

    asked = client.post(NEW, FORM)

    assert asked.url == f"{LOGIN}?next={NEW}"
    assert "session.late" not in client.session
    assert devices.COOKIE not in client.cookies


def test_what_is_kept_cannot_be_read_and_holds_no_password(alice, client):
    sign_in(client, alice)
    proving.nothing_happens(client, 31)
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD})
    assert "session.late" not in client.session

    sign_in(client, alice)
    proving.nothing_happens(client, 31)
    client.post(NEW, FORM)
    assert "test-results" not in str(dict(client.session))


def test_A16_a_forged_form_is_not_kept(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    proving.nothing_happens(client, 31)

    assert client.post(NEW, FORM).status_code == 403
    assert is_in(client)


# Devices


def test_a_new_device_is_told_and_a_known_one_is_not(alice, client):
    sign_in(client, alice)
    assert not Notice.objects.filter(kind="new_sign_in").exists()  # the first of all
    client.post("/accounts/logout/")
    sign_in(client, alice)
    assert AuditEvent.objects.filter(type="device:new").count() == 1

    sign_in(Client(), alice, agent=PHONE)

    (notice,) = Notice.objects.filter(kind="new_sign_in")
    assert (notice.recipient, notice.email) == (f"User/{alice.pk}", alice.email)
    assert AuditEvent.objects.filter(type="device:new").count() == 2


def test_A15_the_cookie_of_a_device_lets_nobody_in(alice, client):
    sign_in(client, alice)
    thief = Client()
    thief.cookies[devices.COOKIE] = client.cookies[devices.COOKIE].value

    assert thief.get("/more/").status_code == 302


def test_devices_are_listed_in_words(alice, client):
    sign_in(client, alice)
    sign_in(Client(REMOTE_ADDR="203.0.113.9"), alice, agent=PHONE)

    page = client.get("/settings/devices/").text

    assert "Safari on iPhone" in page
    assert "In another network" in page
    assert "203.0.113.0/24" in page
    assert "203.0.113.9" not in page


def test_one_device_is_signed_out_at_once(alice, client):
    sign_in(client, alice)
    other = Client()
    sign_in(other, alice, agent=PHONE)
    row = re.search(r'name="which" value="(\d+)"', client.get("/settings/devices/").text)[1]

    client.post("/settings/devices/end/", {"which": row})

    assert other.get("/more/").status_code == 302
    assert client.get("/more/").status_code == 200
    assert ends() == ["ended-elsewhere"]


def test_all_others_are_signed_out(alice, client):
    sign_in(client, alice)
    others = [Client(), Client()]
    for other in others:
        sign_in(other, alice)

    told = client.post("/settings/devices/end/", {"which": "others"}, follow=True)

    assert "2 devices are signed out." in told.text
    assert [other.get("/more/").status_code for other in others] == [302, 302]
    assert client.get("/more/").status_code == 200


def test_everywhere_is_here_too(alice, client):
    sign_in(client, alice)
    other = Client()
    sign_in(other, alice)

    client.post("/settings/devices/end/", {"which": "all"})

    assert [c.get("/more/").status_code for c in (client, other)] == [302, 302]
    assert ends() == ["ended-elsewhere", "ended-elsewhere"]


def test_A15_nobody_ends_a_session_of_another(alice, client):
    sign_in(client, alice)
    mallory = Client()
    sign_in(mallory, factories.mallory().user)
    row = re.search(r'name="which" value="(\d+)"', client.get("/settings/devices/").text)
    mine = alice.usersession_set.get().pk
    assert row is None  # one's own has no button

    for which in (str(mine), "nonsense", "0", ""):
        mallory.post("/settings/devices/end/", {"which": which})

    assert client.get("/more/").status_code == 200


def test_old_address_leads_there(alice, client):
    sign_in(client, alice)

    assert client.get("/accounts/sessions/").url == "/settings/devices/"


# Signing in


def test_A15_a_session_before_the_sign_in_is_not_the_one_after_it(alice, client):
    client.get(LOGIN)
    client.post(NEW)  # gives a visitor a session
    before = client.session.session_key
    sign_in(client, alice)

    assert before
    assert client.session.session_key != before


def wrong(client, user, times):
    for n in range(times):
        page = client.post(LOGIN, {"login": user.email, "password": f"wrong-{n}"})
    return page


def test_A15_who_guesses_is_stopped_and_the_owner_is_not(alice):
    attacker, owner = Client(REMOTE_ADDR="198.51.100.7"), Client(REMOTE_ADDR="203.0.113.9")

    assert "Too many tries" in wrong(attacker, alice, 7).text
    sign_in(attacker, alice)
    assert not is_in(attacker)  # not even with the right one
    sign_in(owner, alice)
    assert is_in(owner)


def test_A15_guesses_from_everywhere_do_not_lock_out_a_known_device(alice, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"login_failed_anywhere": "6/d/key"}
    owner = Client(REMOTE_ADDR="203.0.113.9")
    sign_in(owner, alice)
    owner.post("/accounts/logout/")
    for n in range(8):
        wrong(Client(REMOTE_ADDR=f"198.51.100.{n}"), alice, 1)

    stranger = Client(REMOTE_ADDR="192.0.2.1")
    sign_in(stranger, alice)
    sign_in(owner, alice)

    assert not is_in(stranger)
    assert is_in(owner)


def test_A15_cookies_are_for_this_site_and_no_script(alice, client):
    sign_in(client, alice)

    for name in ("session", devices.COOKIE):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


def test_accounts_are_not_made_without_a_code(db, client):
    client.post(
        reverse("account_signup"), {"email": "new@demo.example", "password1": PASSWORD, "password2": PASSWORD}
    )

    assert not factories.User.objects.filter(email="new@demo.example").exists()
