"""Alice and Mallory, each with a resource of every type, and the app that Alice let in."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import pytest_django
from django.db import transaction

from accounts.models import Patient
from consent.models import Consent
from consent.vocabulary import LABELS, Category
from demo.population import CANARY
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import App

EVERYTHING = {"categories": list(Category), "labels": sorted(LABELS)}


@dataclass(frozen=True, slots=True)
class World:
    """Keys are as long as each other, so that answers about two people can be held side by side."""

    alice: str  # key of ids
    mallory: str
    ghost: str  # whom nobody has heard of
    patient: Patient
    stranger: Patient
    consent: Consent
    app: App  # Alice let it see all there is
    mallorys: App  # and Mallory hers

    @property
    def secrets(self) -> tuple[bytes, bytes]:
        """What no answer to Alice's app may hold."""
        return CANARY.encode(), self.mallory.encode()


def key(of: str) -> str:
    return f"{of}{secrets.token_hex(5)}"


def make() -> World:
    alice, mallory = key("al"), key("mq")
    patient = factories.create_patient("Alice Moreno", fhir_id=f"{alice}-patient")
    stranger = factories.create_patient("Mallory Quinn", fhir_id=f"{mallory}-patient")
    hers = [r for r in records.record(mallory, CANARY) if r["resourceType"] not in records.SHARED]
    records.keep([*records.record(alice), *hers])
    consent = factories.create_consent(patient, **EVERYTHING)
    theirs = factories.create_consent(stranger, consent.client, **EVERYTHING)
    apps = App(issue(consent)), App(issue(theirs))
    return World(alice, mallory, key("gh"), patient, stranger, consent, *apps)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[World]:
    """Made once for a module; every test has a savepoint of its own in it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make()
        transaction.set_rollback(True)
