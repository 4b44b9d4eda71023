"""What an endpoint costs, as counts that depend on no machine (P12, P13), and what a token passes by."""

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from jwcrypto.jwk import JWK

from smart import commands
from smart.models import Client
from tests import factories
from tests.smart import signing
from tests.smart.app import App

SECRET = "s" * 43


def statements(captured: CaptureQueriesContext) -> list[str]:
    """Without those of the transaction that the test itself runs in."""
    said = [query["sql"].lstrip() for query in captured.captured_queries]
    return [sql for sql in said if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))]


def test_P12_a_refresh_is_eight_statements(app):
    token = app.connect()["refresh_token"]

    with CaptureQueriesContext(connection) as captured:
        answer = app.refresh(token)

    assert answer.status_code == 200
    # client; token, locked; consent; end of the old pair; new pair; the patient's id; the log
    assert len(statements(captured)) == 8, "\n".join(statements(captured))


@pytest.mark.parametrize(
    ("path", "most"), [("/o/token/", 1), ("/o/par/", 1), ("/o/revoke_token/", 1), ("/o/introspect/", 1)]
)
def test_P13_who_is_not_known_costs_one_look_and_no_signature(app, monkeypatch, path, most):
    """Cheap checks come first: a good proof, or an assertion, of a stranger is not verified."""
    looked: list[str] = []
    monkeypatch.setattr("smart.jwts.verify", lambda token, *_: looked.append(token))
    key = JWK.generate(kty="EC", crv="P-256", kid="k")
    said = {"client_id": "nobody", "grant_type": "authorization_code", "token": "x", "code": "x"}
    asserted = signing.asserted(signing.ec(), "nobody")

    for body in (said, asserted | {"grant_type": "client_credentials"}):
        with CaptureQueriesContext(connection) as captured:
            answer = app.post(path, body, DPoP=signing.proof(key))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert len(statements(captured)) <= most
    assert looked == []


def test_P13_a_wrong_secret_costs_one_look(app, browser):
    confidential = App(browser, factories.acme_client(client_type="confidential", client_secret=SECRET))

    with CaptureQueriesContext(connection) as captured:
        answer = confidential.redeem("made-up", client_secret="wrong")

    assert answer.json()["error"] == "invalid_client"
    assert len(statements(captured)) == 1


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """Names of the hashes that were made, in order."""
    made: list[str] = []
    sha256 = hashlib.sha256

    def count(*args: bytes, **more: bool) -> object:
        made.append("sha256")
        return sha256(*args, **more)

    monkeypatch.setattr("hashlib.sha256", count)
    monkeypatch.setattr("hashlib.pbkdf2_hmac", lambda *_: pytest.fail("a slow hash for a stranger"))
    return made


def work(hashed: list[str], ask: Callable[[], HttpResponse]) -> tuple[list[str], list[str], bytes]:
    """Tables that were asked, hashes that were made, and the answer, a 401. Transactions count too."""
    hashed.clear()
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    assert answer.status_code == 401, answer.content
    asked = [re.sub(r"'[^']*'", "?", query["sql"]) for query in captured.captured_queries]
    return asked, list(hashed), answer.content


@pytest.mark.parametrize("by", ["Basic", "body"])
@pytest.mark.parametrize("path", ["token", "par", "revoke_token", "introspect"])
def test_A22_a_client_that_is_there_costs_what_one_costs_that_is_not(db, hashed, path, by):
    known = factories.acme_client(client_type="confidential", client_secret=SECRET)
    out = factories.acme_client(client_type="confidential", client_secret=SECRET)
    Client.objects.filter(pk=out.pk).update(status="suspended")
    key = factories.acme_client(client_type="confidential", jwks=signing.public(signing.ec()))
    said = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    costs = []
    for name, secret in [("nobody", "w" * 43)] + [(c.client_id, "w" * 43) for c in (known, out, key)]:
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        header = {"Authorization": f"Basic {basic}"} if by == "Basic" else {}
        body = said if by == "Basic" else said | {"client_id": name, "client_secret": secret}
        costs.append(work(hashed, lambda b=body, h=header: Browser().post(f"/o/{path}/", b, headers=h)))

    tables, hashes, _ = costs[0]
    assert (len(tables), hashes) == (1, ["sha256"])
    assert all(cost == costs[0] for cost in costs), costs


def test_A22_a_registration_that_is_there_costs_what_one_costs_that_is_not(db, hashed, settings):
    settings.DYNAMIC_REGISTRATION = "token"
    known, out = factories.acme_client(), factories.acme_client()
    for each in (known, out):
        commands.new_management_token(each)
    Client.objects.filter(pk=out.pk).update(status="suspended")
    never = factories.acme_client()  # registered by a person: it has no such token
    header = {"Authorization": "Bearer made-up"}
    costs = [
        work(hashed, lambda n=name: Browser().get(f"/o/register/{n}/", headers=header))
        for name in ("nobody", known.client_id, out.client_id, never.client_id)
    ]

    assert (len(costs[0][0]), costs[0][1]) == (1, ["sha256"])
    assert all(cost == costs[0] for cost in costs), costs


def test_A22_an_initial_access_token_that_ran_out_costs_what_a_made_up_one_costs(db, hashed, settings):
    settings.DYNAMIC_REGISTRATION = "token"
    access, value = commands.give_initial_access(by=factories.create_user("Ada Brook"), note="")
    commands.end_initial_access(access, by=access.made_by)
    costs = [
        work(
            hashed,
            lambda v=each: Browser().post(
                "/o/register/", "{}", "application/json", headers={"Authorization": f"Bearer {v}"}
            ),
        )
        for each in ("made-up", value)
    ]

    assert (len(costs[0][0]), costs[0][1]) == (1, ["sha256"])
    assert costs[0] == costs[1]


def test_P13_an_assertion_whose_claims_are_wrong_is_not_verified(app, browser, monkeypatch):
    key = signing.ec()
    asserting = App(browser, factories.acme_client(client_type="confidential", jwks=signing.public(key)))
    name = asserting.client.client_id
    monkeypatch.setattr("smart.jwts.verify", lambda *_: pytest.fail("it was verified"))

    for wrong in ({"aud": "https://other.example"}, {"exp": 1}, {"iss": "other"}, {"jti": None}):
        body = {"grant_type": "client_credentials"} | signing.asserted(key, name, **wrong)
        assert asserting.post("/o/token/", body).json()["error"] == "invalid_client"


# What is passed by


@pytest.fixture
def seen(monkeypatch) -> list[str]:
    """The requests that went all the way through the session's middleware."""
    from django.contrib.sessions.middleware import SessionMiddleware

    seen: list[str] = []
    through = SessionMiddleware.process_request

    def note(self, request):
        seen.append(request.path_info)
        return through(self, request)

    monkeypatch.setattr(SessionMiddleware, "process_request", note)
    return seen


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "DPoP", "dpop"])
def test_a_token_bound_or_not_goes_straight_to_the_gate(db, seen, scheme):
    answer = Browser().get("/fhir/r4/Observation", headers={"Authorization": f"{scheme} made-up"})

    assert answer.status_code == 401
    assert answer["Cache-Control"] == "no-store"
    assert seen == []


def test_what_clients_post_goes_straight_to_its_view(db, seen):
    for path in ("/o/token/", "/o/par/", "/o/revoke_token/", "/o/introspect/", "/o/userinfo/"):
        answer = Browser().post(path, {})
        assert answer["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
    assert seen == []


def test_a_person_does_not(db, seen):
    Browser().get("/fhir/r4/Observation")
    Browser().get("/accounts/login/")

    assert seen == ["/fhir/r4/Observation", "/accounts/login/"]
