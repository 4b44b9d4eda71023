"""A client's requests, as an app makes them: over HTTP, with a bearer token."""

import ipaddress
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent.models import Consent
from fhirproxy import budgets
from smart import tokens
from smart.models import AccessToken
from tests.audit import answers


def issue(
    consent: Consent, scope: str = "patient/*.rs", minutes: int = 5, *, signed_in: timedelta = timedelta(0)
) -> str:
    """An access token as the token endpoint leaves it, and its value; `signed_in` so long ago."""
    value = secrets.token_urlsafe(32)
    AccessToken.objects.create(
        user=consent.patient.user,
        application=consent.client,
        patient=consent.patient,
        authorization_id=consent.id,
        scope=scope,
        token="",
        token_checksum=tokens.checksum(value),
        expires=timezone.now() + timedelta(minutes=minutes),
        authenticated_at=timezone.now() - signed_in,
    )
    return value


@pytest.fixture(autouse=True)
def _I1_of_each_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answers.without.clear()
    monkeypatch.setattr(Browser, "request", answers.request)
    yield
    assert not answers.without, f"I1: nothing in the log says so: {answers.without}"


@pytest.fixture
def get() -> Callable:
    """get(token, "Observation?category=laboratory") → response."""

    def ask(token: str, path: str, **headers: str):
        headers = {"authorization": f"Bearer {token}", **headers}
        return Browser().get(f"/fhir/r4/{path}", headers=headers)

    return ask


@pytest.fixture
def limit(settings) -> Iterator[Callable[..., None]]:
    """limit({"client.requests": 3}): these budgets are so small, the others as in production.

    There is one process then, so that a Valkey that is slow on a busy machine divides nothing.
    """

    def forget() -> None:
        budgets.budgets.cache_clear()
        budgets.tally.cache_clear()

    def change(limits: dict[str, int], **others: object) -> None:
        values = {"BUDGETS": limits, "BUDGET_FACTOR": 1, "WEB_PROCESSES": 1} | others
        for name, value in values.items():
            setattr(settings, name, value)
        forget()

    yield change
    forget()


def an_address() -> str:
    """One that no other test has counted in the same Valkey."""
    return str(ipaddress.IPv4Address("10.0.0.0") + secrets.randbits(24))


def exceeded() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type="budget:exceed").order_by("recorded_at", "id"))
