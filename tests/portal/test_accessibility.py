"""Every page in a real browser: axe, reflow, target size, and nothing that our own CSP must stop.

With CHARTKEY_SCREENSHOTS=folder each page is also kept as a picture.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from demo.people import PASSWORD
from tests.portal.browsing import SITE, browsing

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Links in running text may be smaller; a radio's label and a row's link make the whole line the target.
SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(e => {
  const box = e.getBoundingClientRect()
  return box.width && getComputedStyle(e).display !== 'inline' && !e.matches('.vh, .pick input')
    && (box.height < 44 || box.width < 24)
}).map(e => e.outerHTML.slice(0, 90))"""
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"
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
    *("/add/", "/add/blood-pressure/"),
]
ITEMS = {"result": "alice-ldl-7", "report": "alice-lipids-report-7", "document": "alice-document-3"}
Pages = dict[str, HttpResponse]
LOOKS: list[tuple[int, Literal["dark", "light"]]] = [(320, "dark"), (1280, "light")]


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
    }


@pytest.fixture
def spanish(alice, client: Client) -> Pages:
    client.post("/language/", {"language": "es"})
    return {path: client.get(path) for path in ("/", "/results/", "/results/alice-ldl-7/", "/more/")}


def test_pages_are_accessible(pages):
    with browsing(pages) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        found = in_each_look(page, pages)

    assert found == {}
    assert said == []


def test_spanish_pages_are_accessible(spanish):
    with browsing(spanish, width=320) as page:
        found = {path: wrong for path in spanish if (wrong := _look(page, path, 320, "es"))}

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


def in_each_look(page: Page, paths: Iterable[str]) -> dict[tuple[str, int, str], list[object]]:
    """What is wrong with these pages, by path, width and scheme. (In one browser: to start one costs as
    much as to look at ten pages.)"""
    found = {}
    paths = list(paths)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        found |= {(path, width, scheme): w for path in paths if (w := _look(page, path, width, scheme))}
    return found


def _look(page: Page, path: str, width: int, scheme: str) -> list[object]:
    page.goto(f"{SITE}{path}")
    answer = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    wrong: list[object] = [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in answer]
    wrong += [("small", element) for element in page.evaluate(SMALL)]
    if (over := page.evaluate(OVERFLOW)) > 0:
        wrong.append(("wider than the screen by", over))
    if folder := os.environ.get("CHARTKEY_SCREENSHOTS"):
        name = path.strip("/").replace("/", "-") or "home"
        page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
    return wrong
