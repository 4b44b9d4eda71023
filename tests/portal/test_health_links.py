"""The pages of health links: make one, show it, see who opened it, stop it."""

import html
import re

import pytest
from django.core.cache import cache

from audit.models import AuditEvent
from exports.models import HealthLink
from tests import factories, proving
from tests.exports.shl.receiving import CLINIC, Link, make, results
from tests.factories import PASSWORD
from tests.portal.ehr import ALL, failing

pytestmark = pytest.mark.django_db
NEW = "/sharing/links/new/"
CHOSEN = {
    "label": "For Dr Lee",
    "what": "all",
    "content": "now",
    "days": "7",
    "opens": "many",
    "lock": "open",
}


@pytest.fixture
def alice(client):
    """Alice, who signed in an hour ago."""
    cache.clear()
    patient = factories.alice()
    client.force_login(patient.user)
    proving.minutes_pass(client, 60)
    return patient


def proved(client, address: str, form: dict):
    """The answer once she has proved that it is her."""
    asked = client.post(address, form)
    assert asked.url.startswith("/check/")
    done = client.post(asked.url, {"password": PASSWORD}, follow=True)
    # The page posts the kept form by itself, or by a button.
    return client.post(address, form) if done.request["REQUEST_METHOD"] == "GET" else done


def uri_in(page: str) -> str:
    return html.unescape(re.search(r'<code class="long">(shlink:/[\w-]+)</code>', page)[1])


def test_nothing_is_made_before_the_step_up(alice, client):
    asked = client.post(NEW, CHOSEN)

    assert "let others see more of your records" in client.get(asked.url).text
    assert not HealthLink.objects.exists()


def test_the_link_on_the_page_opens_and_the_code_says_the_same(alice, client):
    page = proved(client, NEW, CHOSEN | {"lock": "passcode"}).text
    passcode = re.search(r'<code class="long">(\d{6})</code>', page)[1]
    link = Link.read(uri_in(page))

    assert results(link.bundle(passcode=passcode)) == ["LDL cholesterol"]
    assert "data:image/svg+xml;base64," in page
    assert "Private topics are not in it." in page
    consent = HealthLink.objects.get().consent
    assert "Whoever has the link can read what you chose" in consent.current.text_shown


def test_a_snapshots_code_is_shown_once_and_a_live_ones_again(alice, client):
    snapshot, live = make(alice), make(alice, is_live=True)
    again = proved(client, f"/sharing/links/{live.link.pk}/show/", {}).text

    assert uri_in(again) == live.uri
    assert client.post(f"/sharing/links/{snapshot.link.pk}/show/").status_code == 302


def test_who_opened_it_stands_on_its_page_as_what_they_said(alice, client):
    made = make(alice, label="For Dr Lee")
    Link.read(made.uri).post()
    page, listed = client.get(f"/sharing/links/{made.link.pk}/").text, client.get("/sharing/links/").text

    assert f"<bdi>{CLINIC}</bdi>" in page
    assert "We cannot check them." in page
    assert "Opened 1 time" in listed
    assert "For Dr Lee" in client.get("/sharing/").text
    assert client.get(f"/sharing/{made.link.consent_id}/").url == f"/sharing/links/{made.link.pk}/"


def test_one_click_stops_it(alice, client):
    made = make(alice)
    done = client.post(f"/sharing/links/{made.link.pk}/stop/", follow=True)

    assert "Nobody can open it now." in done.text
    assert Link.read(made.uri).post().status_code == 404
    assert AuditEvent.objects.filter(type="consent:revoke").exists()


def test_a_link_that_cannot_be_made_says_that_nothing_was_shared(alice, client, settings):
    proving.minutes_pass(client, 0)
    with failing(settings, *ALL):
        page = proved(client, NEW, CHOSEN)

    assert "Nothing was shared." in client.get("/sharing/links/").text or "Nothing was shared." in page.text


def test_nobody_elses_links_are_there(alice, client):
    made = make(alice)
    client.force_login(factories.mallory().user)

    for address in ("", "show/", "stop/"):
        ask = client.post if address else client.get
        assert ask(f"/sharing/links/{made.link.pk}/{address}").status_code == 404
    assert str(made.link.pk) not in client.get("/sharing/links/").text


@pytest.mark.parametrize("may_share", [True, False])
def test_a_helper_makes_links_only_with_leave_and_sees_their_own(alice, client, may_share):
    hers = make(alice)
    amir = factories.create_user("Amir Moreno")
    relation = factories.let_help(amir, alice, may_share=may_share)
    client.force_login(amir)
    client.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    before = f"/for/{relation.pk}/sharing/links"
    page = client.get(f"{before}/new/")

    assert page.status_code == (200 if may_share else 403)
    assert "private topics" not in page.text
    assert client.get(f"{before}/{hers.link.pk}/").status_code == (404 if may_share else 403)
