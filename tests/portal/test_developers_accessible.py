"""The pages of developers, of a sign-out that an app asks for, and of a refusal, in a real browser: axe,
reflow, target size; in both languages."""

import pytest
from django.http import HttpResponse
from django.test import Client as Browser

from smart import commands
from smart.models import Client
from smart.states import Act
from tests import factories
from tests.portal.browsing import browsing
from tests.portal.looking import wrong_on
from tests.portal.test_developers import FILLED

pytestmark = pytest.mark.django_db
BACK = "http://127.0.0.1:8001/callback"


def pages_of(language: str) -> dict[str, HttpResponse]:
    dana = Browser()
    dana.force_login(factories.create_user("Dana Cho"))
    dana.post("/language/", {"language": language})
    first = dana.post("/developers/new/", FILLED)["Location"]
    app = Client.objects.get()
    commands.move(app, Act.ASK, by=app.user)
    ada = factories.create_staff("Ada Brook", "administrator")
    commands.move(app, Act.REFUSE, by=ada, reason="scopes", words="Ask for less.")
    trial = factories.acme_client(post_logout_redirect_uris=[BACK])
    Client.objects.filter(pk=trial.pk).update(status="sandbox")
    addresses = ["/developers/", "/developers/new/", "/developers/claim/", first, f"{first}change/"]
    found = {path: dana.get(path) for path in addresses}
    found["/wrong/new/"] = dana.post("/developers/new/", {"client_name": "Sugar"})
    found["/wrong/claim/"] = dana.post("/developers/claim/", {"client_id": "x", "token": "x"})
    found["/refused/"] = dana.get(
        "/o/authorize/", {"client_id": trial.client_id, "redirect_uri": BACK, "response_type": "token"}
    )
    asked = {"client_id": trial.client_id, "post_logout_redirect_uri": BACK}
    answer = dana.get("/o/logout/", asked)["Location"]
    found |= {"/ask/": dana.get(answer), "/no-such/": dana.get("/o/logout/", {"client_id": "nobody"})}
    found["/done/"] = dana.post(answer, {"do": "out"})
    return found


@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_of_developers_and_of_signing_out_are_accessible(language, settings):
    settings.DYNAMIC_REGISTRATION = "token"
    pages = pages_of(language)

    with browsing(pages) as page:
        found = wrong_on(page, pages, language=language)

    assert found == {}
    assert {response.status_code for response in pages.values()} == {200, 400, 422}
