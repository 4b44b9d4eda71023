"""Every page in a real browser: axe, reflow, target size, and nothing that our own CSP must stop."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from demo.people import PASSWORD
from tests import factories
from tests.portal.browsing import SITE, browsing
from tests.portal.looking import wrong_on

VISITOR = [
    "/",
    "/activate/",
    "/accounts/signup/",
    "/help/",
    "/accounts/login/",
    "/accounts/password/reset/",
    "/nowhere/",
]
ALICE = [
    *("/", "/records/", "/results/", "/vitals/", "/medicines/", "/allergies/", "/conditions/", "/vaccines/"),
    *("/visits/", "/documents/", "/more/", "/design/", "/accounts/logout/", "/accounts/password/change/"),
    *(
        "/settings/security/",
        "/settings/security/email/",
        "/accounts/2fa/webauthn/add/",
        "/settings/devices/",
        "/apps/",
        "/activity/",
        "/downloads/",
        "/downloads/new/",
    ),
    *("/add/", "/add/blood-pressure/", "/insurance/", "/search/", "/settings/", "/settings/notices/"),
]
ITEMS = {
    **{"result": "alice-ldl-7", "report": "alice-lipids-report-7", "document": "alice-document-3"},
    **{"visit": "alice-visit-1", "appointment": "alice-appointment-1"},
}
Pages = dict[str, HttpResponse]


@pytest.fixture
def pages(alice, client: Client) -> Pages:
    """Address → response, of a visitor's pages (under /visitor) and of Alice's."""
    inside = [
        *ALICE,
        *(reverse(f"portal:{kind}", args=[id]) for kind, id in ITEMS.items()),
        reverse("portal:result", args=["alice-bp-4"]),
        reverse("portal:trend", args=["13457-7"]),
    ]
    # A real sign-in, so that the list of sessions has one.
    client.logout()
    client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    visitor = Client()
    wrong = visitor.post("/accounts/login/", {"login": "nobody@demo.example", "password": "wrong"})
    return {
        **{f"/visitor{path}": visitor.get(path) for path in VISITOR},
        "/visitor/wrong-password/": wrong,
        **{path: client.get(path) for path in inside},
        **held(alice, client),
    }


def held(alice, client: Client) -> Pages:
    """A new result, and its place in the list, to one who wants to be asked first."""
    factories.load_records(
        factories.lab_result(alice.patient, "held", effectiveDateTime=timezone.now().isoformat())
    )
    User.objects.filter(pk=alice.pk).update(asks_first=True)
    return {f"/held{path}": client.get(path) for path in ("/results/held/", "/results/")}


@pytest.fixture
def spanish(alice, client: Client) -> Pages:
    client.post("/language/", {"language": "es"})
    paths = ("/", "/results/", "/results/alice-ldl-7/", "/more/", "/settings/notices/")
    return {path: client.get(path) for path in paths} | held(alice, client)


def test_pages_are_accessible(pages):
    with browsing(pages) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        found = wrong_on(page, pages)

    assert found == {}
    assert said == []


def test_spanish_pages_are_accessible(spanish):
    with browsing(spanish, width=320) as page:
        found = wrong_on(page, spanish, [(320, "light")], language="es")

    assert found == {}


def test_newest_result_is_found_by_keyboard_and_without_script(pages):
    """From Home to a number and its story, with links and Enter alone."""
    with browsing(pages, script=False) as page:
        page.goto(f"{SITE}/")
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to main content"
        for link in ("test results in the last 2 weeks", "Cholesterol tests", "LDL cholesterol"):
            page.get_by_role("link", name=link).first.focus()
            page.keyboard.press("Enter")

        assert page.locator("h1").inner_text() == "LDL cholesterol"
        assert page.get_by_role("img", name="LDL cholesterol").count() == 2
