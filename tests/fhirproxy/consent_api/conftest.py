"""Who sends consents: Alice by her own session, a client by its token, Cora of compliance by hers."""

import pytest
from django.test import Client as Browser

from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consents import ALL, privacy_consent, session_of


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


@pytest.fixture
def session(alice):
    return session_of(alice)


@pytest.fixture
def privacy(alice):
    return privacy_consent(alice)


@pytest.fixture
def token(privacy):
    return issue(privacy, ALL)


@pytest.fixture
def cora():
    browser = Browser()
    browser.force_login(factories.create_staff("Cora", "compliance"))
    return browser
