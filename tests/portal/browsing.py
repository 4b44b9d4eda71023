"""Pages as Django renders them, looked at by a real Chromium without a server between.

Every page is rendered first, with its own headers; the browser's requests are then answered from these
and from static/, so that the browser and the database never wait for each other.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import allauth
import django_htmx
from django.http import HttpResponse
from playwright.sync_api import Page, Route, sync_playwright

from tests.browser.conftest import FLAGS, _chromium

SITE = "http://localhost"  # an origin that browsers trust without TLS; nothing listens there
ALLAUTH = Path(allauth.__file__).parent
STATIC = (
    Path(__file__).resolve().parents[2] / "static",
    Path(django_htmx.__file__).parent / "static",
    *(ALLAUTH / room / "static" for room in ("account", "mfa")),
)
TYPES = {".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
Rendered = Mapping[str, HttpResponse]


@contextmanager
def browsing(
    rendered: Rendered, *, width: int = 390, scheme: str = "light", script: bool = True
) -> Iterator[Page]:
    """A page of a browser that sees `rendered` (by path) at SITE."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        page = context.new_page()
        page.route("**/*", lambda route: _answer(route, rendered))
        yield page
        browser.close()


def _answer(route: Route, rendered: Rendered) -> None:
    path = urlsplit(route.request.url).path
    if path in rendered:
        response = rendered[path]
        headers = {name: value for name, value in response.items() if name.lower() != "set-cookie"}
        route.fulfill(status=200, headers=headers, body=response.content)
        return
    file = next((f for root in STATIC if (f := root / path.removeprefix("/static/")).is_file()), None)
    if file is None:
        route.fulfill(status=404, body="")
    else:
        route.fulfill(body=file.read_bytes(), content_type=TYPES.get(file.suffix, "text/plain"))
