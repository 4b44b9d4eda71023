"""`make demo TLS=1`: the same over https, with what production sends over https."""

import http.client
import ssl
import warnings
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from tests.browser.stack import Stack


@pytest.fixture
def secured(one_stack: Stack) -> Iterator[Stack]:
    """The stack with its data, started again by https; the next test starts it as it was."""
    if one_stack.is_running():
        one_stack.interrupt()
    one_stack.tls = True
    one_stack.start()
    yield one_stack
    one_stack.interrupt()
    one_stack.tls = False


def ask(stack: Stack, path: str, trusted: ssl.SSLContext) -> http.client.HTTPResponse:
    connection = http.client.HTTPSConnection("127.0.0.1", stack.port, timeout=10, context=trusted)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer


def test_everything_is_served_by_https(secured: Stack, browser: Browser):
    authority = secured.var / "tls" / "ca.pem"
    trusted = ssl.create_default_context(cafile=str(authority))

    page = ask(secured, "/accounts/login/", trusted)
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "__Host-csrf" in page.headers["Set-Cookie"]
    assert "Secure" in page.headers["Set-Cookie"]
    assert str(authority) in secured.output()
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(secured, "/", ssl.create_default_context())
    _sign_in_and_connect(secured, browser)


def _sign_in_and_connect(stack: Stack, browser: Browser) -> None:
    """In Chromium: Alice signs in, and GlucoTrack, which speaks http itself, finds its way to https."""
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    page = context.new_page()
    page.goto(stack.client_url)
    page.get_by_role("button", name="Connect").first.click()
    assert page.url.startswith(f"{stack.url}/o/authorize/")
    page.goto(f"{stack.url}/accounts/login/")
    page.get_by_label("Email").fill("alice@demo.example")
    page.get_by_label("Password").fill("demo-password-2026")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}/")
    session = next(c for c in context.cookies() if c["name"] == "__Host-session")
    assert (session["secure"], session["httpOnly"]) == (True, True)
    context.close()


def test_231_nothing_older_than_tls_1_2_is_spoken(secured: Stack):
    """SMART 2.2 row 231 and (g)(10) SEC-CNN-1. In production TLS ends at a proxy; there plain http is refused
    at the start (tests/setup/test_environment.py)."""
    for version, is_spoken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        trusted = ssl.create_default_context(cafile=str(secured.var / "tls" / "ca.pem"))
        trusted.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):
            trusted.minimum_version = trusted.maximum_version = version
        if is_spoken:
            assert ask(secured, "/healthz", trusted).status == 200
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                ask(secured, "/healthz", trusted)
