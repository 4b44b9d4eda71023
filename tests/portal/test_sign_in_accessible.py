"""The pages about signing in, as full as they get, in a real browser: axe, reflow, target size."""

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from accounts import activation
from demo.people import PASSWORD
from tests import factories, proving
from tests.portal.browsing import browsing
from tests.portal.looking import wrong_on
from tests.portal.test_activate import tell

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604.1"


def a_visitor_makes_an_account(language: str) -> dict[str, HttpResponse]:
    visitor = Client()
    visitor.cookies["django_language"] = language
    tom = factories.create_patient("Tom Moreno", signs_in=False)
    pages = {p: visitor.get(p) for p in ("/", "/accounts/login/", "/activate/", "/accounts/signup/")}
    pages["/wrong/activate/"] = visitor.post("/activate/", {})
    tell(visitor, activation.issue(tom, by=None), tom)
    pages["/activate/account/"] = visitor.get("/activate/account/")
    account = {"email": "tom@demo.example", "password": "violet umbrella tractor"}
    pages["/wrong/account/"] = visitor.post("/activate/account/", {"email": "x", "password": "x"})
    visitor.post("/activate/account/", account)
    pages["/activate/confirm/"] = visitor.get("/activate/confirm/")
    return pages


def alice_looks_after_hers(language: str) -> dict[str, HttpResponse]:
    client, user = Client(REMOTE_ADDR="203.0.113.9"), factories.alice().user
    client.cookies["django_language"] = language
    for device in (Client(), client):
        device.post(
            "/accounts/login/", {"login": user.email, "password": PASSWORD}, headers={"user-agent": PHONE}
        )
    proving.minutes_pass(client)
    by_password = client.post("/settings/security/email/", {"email": "new@demo.example"}).url
    pages = {
        "/check/password/": client.get(by_password),
        "/check/wrong/": client.post(by_password, {"password": "wrong"}),
        "/check/none/": client.get("/check/00000000-0000-0000-0000-000000000000/"),
        "/security/one/": client.get("/settings/security/"),
        "/settings/security/email/": client.get("/settings/security/email/"),
        "/settings/devices/": client.get("/settings/devices/"),
        "/check/file/": client.post(client.get("/activity/list/csv/").url, {"password": PASSWORD}),
    }
    client.post("/settings/security/email/", {"email": "new@demo.example"})
    client.post(by_password, {"password": PASSWORD})
    pages["/settings/security/email/code/"] = client.get("/settings/security/email/code/")
    proving.has_codes(user)
    proving.has_backup_codes(user)
    pages["/settings/security/"] = client.get("/settings/security/")
    proving.minutes_pass(client)
    pages["/check/code/"] = client.get(client.get("/activity/list/csv/").url)
    proving.nothing_happens(client, 31)
    late = client.post("/downloads/new/", {"what": "all", "formats": "pdf"})
    client.post(late.url, {"login": user.email, "password": PASSWORD})
    pages["/accounts/2fa/authenticate/"] = client.get("/accounts/2fa/authenticate/")
    client.post("/accounts/2fa/authenticate/", {"code": proving.code_now()})
    pages["/late/"] = client.get("/late/")
    pages["/accounts/2fa/webauthn/add/"] = client.get("/accounts/2fa/webauthn/add/")
    pages["/accounts/2fa/recovery-codes/"] = client.get("/accounts/2fa/recovery-codes/")
    file = pages["/check/file/"]  # it would go on to the file
    file.content = file.content.replace(b'http-equiv="refresh"', b"")
    return pages


@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_about_signing_in_are_accessible(db, language):
    cache.clear()
    pages = a_visitor_makes_an_account(language) | alice_looks_after_hers(language)
    assert {path: page.status_code for path, page in pages.items() if page.status_code in (302, 500)} == {}
    with browsing(pages) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        found = wrong_on(page, pages, [(390, "light"), (1280, "light")], language=language)

    assert found == {}
    assert said == []
