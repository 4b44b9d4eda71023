"""What is wrong with a page as a browser shows it: axe, small targets, a page wider than the screen.

axe takes most of the time: `make test` asks it once for a page, in English, and `make a11y` (EVERY_LOOK=1) at
each width, scheme and language. What a longer word or a narrow screen breaks is measured at each in both.
With CHARTKEY_SCREENSHOTS=folder each page is also kept as a picture.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.portal.browsing import SITE

Look = tuple[int, Literal["dark", "light"]]  # width in px, colour scheme
LOOKS: tuple[Look, ...] = ((320, "dark"), (1280, "light"))
EVERY_LOOK = bool(os.environ.get("EVERY_LOOK"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Only what is wrong comes back from the browser: the rest of an answer takes longer to send than to find.
VIOLATIONS = """rules => axe.run({runOnly: rules, resultTypes: ['violations']})
  .then(found => found.violations.map(v => [v.id, v.nodes.map(n => n.target).slice(0, 3)]))"""
# Links in running text may be smaller; a radio's label and a row's link make the whole line the target.
SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(e => {
  const box = e.getBoundingClientRect()
  return box.width && getComputedStyle(e).display !== 'inline' && !e.matches('.vh, .pick input')
    && (box.height < 44 || box.width < 24)
}).map(e => ['small', e.outerHTML.slice(0, 90)])"""
WIDER = """() => Math.max(0, document.documentElement.scrollWidth - innerWidth)"""


def wrong_on(
    page: Page, paths: Iterable[str], looks: Iterable[Look] = LOOKS, *, language: str = "en"
) -> dict[tuple[str, int, str], list[object]]:
    """What is wrong with these pages, by path, width and scheme; a page without fault is left out.

    A page is loaded once for all its looks: what it is made of follows the screen by CSS alone.
    """
    looks = tuple(looks)
    found = {}
    for path in paths:
        page.goto(f"{SITE}{path}")
        judged = looks if EVERY_LOOK else looks[: language == "en"]
        if judged:
            page.evaluate(Axe().axe_script)
        for width, scheme in looks:
            page.set_viewport_size({"width": width, "height": 844})
            page.emulate_media(color_scheme=scheme)
            if wrong := _wrong(page, by_axe=(width, scheme) in judged):
                found[path, width, scheme] = wrong
            _picture(page, path, width, f"{scheme}-{language}")
    return found


def _wrong(page: Page, *, by_axe: bool) -> list[object]:
    wider = page.evaluate(WIDER)
    return [
        *(page.evaluate(VIOLATIONS, RULES) if by_axe else []),
        *page.evaluate(SMALL),
        *([("wider than the screen by", wider)] if wider else []),
    ]


def _picture(page: Page, path: str, width: int, look: str) -> None:
    if folder := os.environ.get("CHARTKEY_SCREENSHOTS"):
        name = path.strip("/").replace("/", "-") or "home"
        page.screenshot(path=Path(folder) / f"{name}-{width}-{look}.png", full_page=True)
