"""Codes, tokens and secrets stand where they were sent to, and in no log, page, row or name of ours (A22)."""

import base64
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client as Browser
from django.urls import NoReverseMatch, reverse

from audit.models import AuditEvent
from config.logging import NoArguments
from consent import commands as consents
from consent.models import Consent
from notices.models import Notice
from smart import events, launches, tokens
from tests import factories
from tests.smart import signing
from tests.smart.app import App

SECRET = "a-secret-of-a-client-that-is-long-enough-0123456789"
SCOPE = "launch openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that goes to standard output, even where somebody turns every log on."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.addFilter(NoArguments())  # as `config.logging` has it
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def flow(browser: Browser, alice: Any, logged: io.StringIO) -> tuple[set[str], list[str]]:
    """Everything once, right and wrong. Returns what must stand nowhere, and the addresses we made."""
    client = factories.acme_client(
        client_type="confidential", client_secret=SECRET, notification_uri="https://127.0.0.1/events"
    )
    client.launch_uri = "https://acme.example/launch"
    client.save()
    app = App(browser, client)
    app.scope = SCOPE
    basic = "Basic " + base64.b64encode(f"{client.client_id}:{SECRET}".encode()).decode()
    launch = launches.begin(client, user=alice.user, patient=alice).rpartition("launch=")[2]
    pushed = app.post("/o/par/", app.parameters(launch=launch), Authorization=basic).json()["request_uri"]
    page = browser.get("/o/authorize/", {"client_id": client.client_id, "request_uri": pushed})["Location"]
    location = app.answer(page)["Location"]
    code = location.partition("code=")[2].partition("&")[0]
    proof = signing.proof(signing.ec(crv="P-256"), header={"alg": "ES256"})
    first = app.redeem(code, client_secret=SECRET).json()
    second = app.refresh(first["refresh_token"], client_secret=SECRET).json()
    app.post("/o/introspect/", {"token": second["access_token"]}, Authorization=basic)
    app.userinfo(second["access_token"])
    app.machine.get("/fhir/r4/Observation", headers={"Authorization": f"Bearer {second['access_token']}"})
    app.refresh("wrong" * 10, client_secret=SECRET)
    app.redeem(code, client_secret=SECRET)  # a replay
    app.refresh(second["refresh_token"], client_secret=SECRET)
    app.post("/o/revoke_token/", {"token": second["access_token"]}, Authorization=basic)
    out = browser.get("/o/logout/", {"id_token_hint": first["id_token"]})["Location"]
    browser.get(out)
    for consent in Consent.objects.all():
        consents.revoke(consent, by=alice.user)
    events.send_due()
    secrets = {SECRET, basic, launch, code, proof, first["id_token"], app.verifier}
    for answer in (first, second):
        secrets |= {answer["access_token"], answer["refresh_token"]}
    assert all(len(secret) >= 20 for secret in secrets)
    return secrets, [page, out]


def found_in(text: str, secrets: set[str]) -> list[str]:
    return [secret[:6] for secret in secrets if secret in text]


def test_A22_no_log_holds_them(flow, logged):
    secrets, _ = flow

    assert "event_not_taken" in logged.getvalue()  # it did listen
    assert found_in(logged.getvalue(), secrets) == []


def test_A22_no_address_of_ours_holds_them(flow):
    secrets, addresses = flow

    assert found_in(" ".join(addresses), secrets) == []


def test_A22_no_event_notice_or_outbox_row_holds_them(flow):
    secrets, _ = flow
    rows = [AuditEvent, Notice, apps.get_model("smart", "SecurityEvent")]

    said = "".join(str(list(model.objects.values())) for model in rows)

    assert said.count("token:") >= 4
    assert found_in(said, secrets) == []


def test_A22_no_table_of_the_server_holds_them(flow):
    """Kept are their hashes."""
    secrets, _ = flow

    for model in apps.get_app_config("smart").get_models():
        table = model._meta.db_table
        columns = [f.column for f in model._meta.concrete_fields]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'{column}::text' for column in columns)} FROM {table}")
            assert found_in(str(cursor.fetchall()), secrets) == [], table


def test_A22_no_name_of_a_row_holds_them(flow):
    secrets, _ = flow

    for model in apps.get_app_config("smart").get_models():
        rows = list(model.objects.all())
        assert found_in(" ".join(f"{row} {row!r}" for row in rows), secrets) == [], model


def test_A22_no_page_of_the_console_holds_them(flow):
    secrets, _ = flow
    console = Browser()
    console.force_login(factories.create_staff("Cora Lane", "compliance", "administrator"))
    looked = 0

    for model in [*apps.get_app_config("smart").get_models(), AuditEvent]:
        if model not in admin.site._registry:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages = [reverse(f"{name}_changelist")]
        for row in model.objects.all()[:20]:
            try:
                pages.append(reverse(f"{name}_change", args=[row.pk]))
            except NoReverseMatch:
                continue
        for page in pages:
            shown = console.get(page)
            assert shown.status_code == 200, page
            assert found_in(shown.content.decode(), secrets) == [], page
            looked += 1
    assert looked > 5


def test_A22_no_key_or_value_of_the_cache_holds_them(flow):
    secrets, _ = flow
    store = cache._cache.get_client()

    for key in store.keys("*"):
        value = store.get(key) if store.type(key) == b"string" else b""
        assert found_in(f"{key!r} {value!r}", secrets) == []


# Answers do not tell what is there from what is not


def ended(app: App) -> list[str]:
    """Tokens that are not to be told apart: made up, ended, another client's, cut short."""
    answer = app.connect()
    other = App(app.browser, factories.acme_client()).connect()
    over = App(app.browser, factories.acme_client(client_id="acme-over")).connect()
    tokens.revoke_all(Consent.objects.get(client__client_id="acme-over").pk)
    return ["made-up" * 6, other["access_token"], over["refresh_token"], answer["access_token"][:-1]]


def test_A22_the_answers_to_tokens_that_do_not_hold_have_one_shape(app):
    resource = factories.acme_client(client_type="confidential", client_secret=SECRET)
    basic = "Basic " + base64.b64encode(f"{resource.client_id}:{SECRET}".encode()).decode()
    seen: dict[str, set[tuple[int, bytes]]] = {}

    for token in ended(app):
        for path in ("/o/introspect/", "/o/revoke_token/"):
            answer = app.post(path, {"token": token}, Authorization=basic)
            seen.setdefault(path, set()).add((answer.status_code, answer.content))
        refresh = {"grant_type": "refresh_token", "refresh_token": token}
        refused = app.post("/o/token/", refresh, Authorization=basic)
        seen.setdefault("refresh", set()).add((refused.status_code, refused.content))

    assert [len(shapes) for shapes in seen.values()] == [1, 1, 1], seen


def test_A22_a_client_that_is_not_there_and_one_with_a_wrong_secret_look_the_same(app):
    known = factories.acme_client(client_type="confidential", client_secret=SECRET)
    suspended = factories.acme_client(client_type="confidential", client_secret=SECRET, client_id="acme-out")
    type(suspended).objects.filter(pk=suspended.pk).update(status="suspended")
    bodies = {
        "/o/token/": {"grant_type": "client_credentials"},
        "/o/introspect/": {"token": "x"},
        "/o/par/": {},
    }

    for path, body in bodies.items():
        shapes = set()
        for name in ("nobody-at-all", known.client_id, suspended.client_id):
            wrong = "Basic " + base64.b64encode(f"{name}:{'w' * 50}".encode()).decode()
            answer = app.post(path, body, Authorization=wrong)
            shapes.add((answer.status_code, answer.json()["error"]))
        assert shapes == {(401, "invalid_client")}, path
