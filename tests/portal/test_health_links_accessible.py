"""The pages of health links, as full as they get, in a real browser: axe, reflow, target size."""

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from exports.shl import commands
from tests.exports.shl.receiving import Link, make
from tests.portal.browsing import browsing
from tests.portal.looking import wrong_on

NEW = "/sharing/links/new/"
CHOSEN = {"what": "all", "content": "live", "days": "7", "opens": "once", "lock": "passcode"}


def pages_of(alice: User, client: Client) -> dict[str, HttpResponse]:
    """Address → response: before there is a link, with a few, one that was opened, one that was stopped."""
    found = {"/sharing/links/none/": client.get("/sharing/links/")}
    made, ended = make(alice.patient, label="For Dr Lee", is_live=True), make(alice.patient)
    link = Link.read(made.uri)
    link.post()
    link.post(recipient="Somebody with a very long name " * 6)
    commands.stop(ended.link, by=alice)
    Link.read(ended.uri).post()
    found |= {NEW: client.get(NEW), "/wrong/": client.post(NEW, {"what": "choose"})}
    found["/made/"] = client.post(NEW, CHOSEN)
    found["/again/"] = client.post(f"/sharing/links/{made.link.pk}/show/")
    addresses = ["/sharing/links/", *(f"/sharing/links/{one.link.pk}/" for one in (made, ended)), "/sharing/"]
    return found | {address: client.get(address) for address in addresses}


@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_of_health_links_are_accessible(alice, client, language):
    client.post("/language/", {"language": language})
    pages = pages_of(alice, client)
    with browsing(pages) as page:
        found = wrong_on(page, list(pages), language=language)

    assert found == {}
    assert {response.status_code for response in pages.values()} == {200, 422}
