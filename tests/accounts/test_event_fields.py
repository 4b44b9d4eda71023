"""Every event says by what right it was asked for, from where, and how long it took."""

import uuid

import pytest
import structlog
from celery import current_app
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from audit import balp, context
from audit.events import EventType
from audit.models import AuditEvent
from audit.paragraphs import paragraph
from smart import tokens
from tests import factories
from tests.smart.app import App

PASSWORD = "demo-password-2026"  # for tests only
# Where each field stands that an event must have: a column, or a name in its context.
COLUMNS = {
    *("actor", "on_behalf_of", "role", "client", "patient", "interaction", "resource_types", "categories"),
    *("purpose", "outcome", "reasons", "consent", "consent_number", "correlation_id"),
}
CONTEXT = {"assurance", "device", "network", "milliseconds"}


def newest(event_type):
    return AuditEvent.objects.filter(type=event_type).latest("id")


def read(token):
    answer = Browser().get("/fhir/r4/Observation", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.content


@pytest.fixture
def alice(db):
    """With an address of her own: allauth counts failures per address."""
    patient = factories.create_patient("Alice Moreno")
    patient.user.email = f"alice-{uuid.uuid4()}@demo.example"
    patient.user.set_password(PASSWORD)
    patient.user.save()
    return patient


@pytest.fixture
def app(alice):
    browser = Browser()
    browser.post(reverse("account_login"), {"login": alice.user.email, "password": PASSWORD})
    return App(browser)


def test_an_event_of_a_request_has_every_field(app):
    event = newest(EventType.SESSION_START)

    assert {field.name for field in AuditEvent._meta.fields} >= COLUMNS
    assert event.context.keys() >= CONTEXT
    assert event.correlation_id


def test_a_session_is_named_by_a_keyed_hash_and_with_its_assurance(app):
    session = app.browser.session.session_key

    found = newest(EventType.SESSION_START)

    assert (found.context["assurance"], found.context["methods"]) == ("sfa", "pwd")
    assert found.context["session"] == context.reference(f"session {session}")
    assert session not in found.payload
    assert found.context["session"] in paragraph(found)


def test_who_is_not_signed_in_has_no_assurance(app):
    Browser().post(reverse("account_login"), {"login": "nobody@demo.example", "password": "wrong"})

    assert newest(EventType.SESSION_FAIL).context["assurance"] == "none"
    assert not {"token", "session"} & newest(EventType.SESSION_FAIL).context.keys()


def test_a_token_is_the_same_from_its_issue_to_its_use_and_knows_the_sign_in_behind_it(app):
    got = app.connect()

    read(got["access_token"])

    used, issued = newest(EventType.RECORD_SEARCH), newest(EventType.TOKEN_ISSUE)
    name = context.reference(f"token {tokens.checksum(got['access_token'])}")
    assert used.context["token"] == issued.detail["token"] == name
    assert (used.context["assurance"], used.context["methods"]) == ("sfa", "pwd")
    assert issued.detail["family"]
    assert got["access_token"] not in used.payload + issued.payload


def test_the_use_of_a_token_is_an_event_of_balps_profile_for_opaque_tokens(app):
    read(app.connect()["access_token"])
    used = newest(EventType.RECORD_SEARCH)

    told = balp.audit_event(used, patient="Patient/1", site="Riverside", whole=True)
    hidden = balp.audit_event(used, patient="Patient/1", site="Riverside", whole=False)

    assert [p.rpartition("IHE.BasicAudit.")[2] for p in told["meta"]["profile"]] == [
        "PatientQuery",
        "OAUTHaccessTokenUse.Opaque",
    ]
    (user,) = [agent for agent in told["agent"] if agent["requestor"]]
    assert user["policy"] == [used.context["token"]]
    assert {c["code"] for c in user["type"]["coding"]} >= {"UserOauthAgent"}
    assert len(hidden["meta"]["profile"]) == 1
    assert used.context["token"] not in str(hidden)


def test_a_task_goes_on_under_the_id_of_the_request_that_asked_for_it(monkeypatch):
    seen = []

    @current_app.task(name="tests.see")
    def see():
        seen.append(structlog.contextvars.get_contextvars().get("correlation_id"))

    see.apply(task_id="of-its-own")
    see.apply(headers={"correlation": "of-a-request"})

    assert seen == ["of-its-own", "of-a-request"]
    assert "correlation_id" not in structlog.contextvars.get_contextvars()


def test_what_a_request_asks_to_be_done_later_carries_its_id():
    from config.celery import send_correlation

    headers = {}
    with structlog.contextvars.bound_contextvars(correlation_id="of-a-request"):
        send_correlation(headers=headers)

    assert headers == {"correlation": "of-a-request"}


def test_nothing_is_said_of_a_credential_outside_a_request(db):
    with transaction.atomic():
        context.present(context.Credential(assurance="mfa"))

    assert context.current.get() is None
