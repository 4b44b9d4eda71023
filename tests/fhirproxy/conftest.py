"""A client's requests, as an app makes them: over HTTP, with a bearer token."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.utils import timezone

from consent.models import Consent
from smart import tokens
from smart.models import AccessToken


def issue(consent: Consent, scope: str = "patient/*.rs", minutes: int = 5) -> str:
    """An access token as the token endpoint leaves it, and its value."""
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
    )
    return value


@pytest.fixture
def get() -> Callable:
    """get(token, "Observation?category=laboratory") → response."""

    def ask(token: str, path: str, **headers: str):
        headers = {"authorization": f"Bearer {token}", **headers}
        return Browser().get(f"/fhir/r4/{path}", headers=headers)

    return ask
