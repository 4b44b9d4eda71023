"""A running Chartkey and a real Chromium, shared by all the tests of this folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.stack import Stack

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First, since they take longest and stay together on one worker (tests/servers.py)."""
    items.sort(key=lambda item: HERE not in item.path.parents)


@pytest.fixture(scope="package")
def one_stack() -> Iterator[Stack]:
    stack = Stack(Path(settings.VAR) / "stack")
    stack.run("--reset")
    yield stack
    if stack.is_running():
        stack.interrupt()


@pytest.fixture
def stack(one_stack: Stack) -> Stack:
    """The running product with the demo population, started once for the folder."""
    one_stack.start()
    return one_stack


# Closed when the folder's tests are over: playwright's event loop would keep Django from its database.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and ON_MACOS.exists():
        found = str(ON_MACOS)
    if found is None and os.environ.get("CI"):
        pytest.fail("Chromium is not installed, and CI may not do without: apt install chromium")
    if found is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    return found


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A page 390 px wide with touch, in a session of its own."""
    yield from _page(browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True))


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Page]:
    """A page 1280 px wide, in a session of its own."""
    yield from _page(browser.new_context(viewport=DESKTOP))


def _page(context: BrowserContext) -> Iterator[Page]:
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """The folder that CI keeps: var/screenshots."""
    folder = Path(settings.VAR).parent / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def save(page: Page, folder: Path, name: str) -> Path:
    """A picture of the whole page, named after the step and its width: `03-consent-390.png`."""
    assert page.viewport_size
    path = folder / f"{name}-{page.viewport_size['width']}.png"
    page.screenshot(path=path, full_page=True)
    return path
