"""Which pages elsewhere may read our answers (A16)."""

import pytest
from django.test import Client as Browser

from smart import cors
from smart.commands import InvalidClient
from smart.models import Client
from tests import factories
from tests.smart.app import App

OWN, OTHER = "http://127.0.0.1:8001", "https://app.example"
PATHS = ["/o/token/", "/o/par/", "/o/revoke_token/", "/o/introspect/", "/o/userinfo/", "/fhir/r4/Observation"]
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,dpop"}
OPEN = [
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/fhir/r4/.well-known/smart-configuration",
    "/fhir/r4/metadata",
]


def allowed(response) -> str:
    assert "Access-Control-Allow-Credentials" not in response
    return response.get("Access-Control-Allow-Origin", "")


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_app_may_read_each_endpoint_from_its_own_site(app, path):
    preflight = app.machine.options(path, headers={"Origin": OWN} | PREFLIGHT)
    answer = app.machine.post(path, {}, headers={"Origin": OWN})

    assert preflight.status_code == 204
    assert allowed(preflight) == OWN
    assert {"authorization", "dpop"} <= set(preflight["Access-Control-Allow-Headers"].split(", "))
    assert answer.status_code >= 400  # errors, too
    assert allowed(answer) == OWN
    assert "Origin" in answer["Vary"]


@pytest.mark.parametrize("origin", [OTHER, "null", "http://127.0.0.1:8002", f"{OWN}/"])
@pytest.mark.parametrize("path", PATHS)
def test_A16_pages_that_nobody_registered_read_nothing(app, path, origin):
    assert allowed(app.machine.options(path, headers={"Origin": origin} | PREFLIGHT)) == ""
    assert allowed(app.machine.post(path, {}, headers={"Origin": origin})) == ""


def test_A16_the_pages_of_one_app_do_not_read_the_answers_of_another(app):
    factories.acme_client(redirect_uris=["https://app.example/callback"])
    token = app.connect()["access_token"]
    theirs = {"Origin": OTHER, "Authorization": f"Bearer {token}"}

    assert allowed(app.post("/o/token/", {"client_id": app.client.client_id}, Origin=OTHER)) == ""
    assert allowed(app.machine.get("/o/userinfo/", headers=theirs)) == ""
    assert allowed(app.machine.get("/fhir/r4/Observation", headers=theirs)) == ""
    assert allowed(app.machine.get("/fhir/r4/Observation", headers=theirs | {"Origin": OWN})) == OWN


def test_an_app_may_register_where_else_its_pages_are(app, browser):
    elsewhere = App(browser, factories.acme_client(allowed_origins=[OTHER]))

    assert (
        allowed(elsewhere.post("/o/token/", {"client_id": elsewhere.client.client_id}, Origin=OTHER)) == OTHER
    )
    assert allowed(app.post("/o/token/", {"client_id": app.client.client_id}, Origin=OTHER)) == ""


def test_A16_a_client_that_is_suspended_has_no_pages(app):
    Client.objects.update(status=Client.Status.SUSPENDED)

    assert allowed(app.machine.options("/o/token/", headers={"Origin": OWN} | PREFLIGHT)) == ""


@pytest.mark.parametrize("path", OPEN)
def test_discovery_is_open_to_pages_anywhere(db, path):
    factories.create_source()
    answer = Browser().get(path, headers={"Origin": OTHER})

    assert answer.status_code == 200
    assert allowed(answer) == "*"
    assert allowed(Browser().options(path, headers={"Origin": OTHER} | PREFLIGHT)) == "*"


@pytest.mark.parametrize("path", ["/apps/", "/o/authorize/", "/o/logout/", "/accounts/login/", "/admin/"])
def test_A16_no_page_of_a_person_is_open_to_other_pages(app, path):
    assert allowed(app.browser.get(path, headers={"Origin": OWN})) == ""


def test_a_caller_without_an_origin_is_told_nothing_of_origins(app):
    assert allowed(app.machine.post("/o/token/", {})) == ""


def test_strange_origins_cost_a_look_at_the_table_every_other_second(app, django_assert_max_num_queries):
    with django_assert_max_num_queries(1):
        for number in range(50):
            cors.ORIGINS.clients_at(f"https://stranger{number}.example")


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://Acme.example:443/callback?x=1", "https://acme.example"),
        ("http://127.0.0.1:8001/callback", OWN),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
        ("com.acme.app:/callback", ""),
        ("https://acme.example:99999/", ""),
        ("", ""),
    ],
)
def test_the_origin_of_an_address(uri, origin):
    assert cors.origin_of(uri) == origin


@pytest.mark.parametrize("origin", ["*", "null", f"{OTHER}/", "https://APP.example", "app.example"])
def test_what_cannot_be_registered_as_an_origin(db, origin):
    with pytest.raises(InvalidClient):
        factories.acme_client(allowed_origins=[origin])
