"""The pages of emergencies and of support in a real browser, in both languages: see test_accessibility."""

import pytest
from django.test import Client

from accounts import elevations, support
from accounts.models import User
from consent import emergencies
from tests import factories
from tests.portal.browsing import browsing
from tests.portal.looking import LOOKS, wrong_on
from tests.portal.test_accessibility import Pages

pytestmark = pytest.mark.django_db
SAID = {"why": "life", "text": "Found on the street, does not answer.", "on_team": False}


def pages_of(language: str) -> Pages:
    """Address → response, of a clinician's, support's and a patient's pages."""
    alice = factories.alice()
    osei, sam = factories.dr_osei(), factories.create_staff("Sam Park", "support")
    doctor, desk, patient = (_browser(user, language) for user in (osei, sam, alice.user))
    emergencies.open_record(osei, alice, **SAID)
    desk.post("/support/", {"code": support.make_code(alice, by=alice.user)})
    chart, account = f"/review/chart/{alice.pk}/", "/support/account/"
    pages = {
        "/review/emergency/": doctor.get("/review/emergency/"),
        "/wrong/emergency/": doctor.post("/review/emergency/", {"name": "A"}),
        chart: doctor.get(chart),
        "/support/": desk.get("/support/"),
        "/wrong/support/": desk.post("/support/", {"code": "AAAAA-AAAAA"}),
        account: desk.get(account, {"reference": "none"}),
        "/support/account/more/": desk.get("/support/account/more/"),
        "/help/code/": patient.post("/help/code/"),
        "/": patient.get("/"),
        "/activity/": patient.get("/activity/"),
    }
    elevations.start(sam, why="fault", text="A page does not open.", ticket="T-1", patient=alice)
    return pages | {"/elevated/": desk.get(account)}


def _browser(user: User, language: str) -> Client:
    client = Client()
    client.force_login(user)
    client.post("/language/", {"language": language})
    return client


@pytest.mark.parametrize(("language", "looks"), [("en", LOOKS), ("es", [(390, "light")])])
def test_pages_are_accessible(language, looks):
    pages = pages_of(language)
    with browsing(pages) as page:
        found = wrong_on(page, pages, looks, language=language)

    assert found == {}
