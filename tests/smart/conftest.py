import pytest
from django.test import Client as Browser

from accounts.models import Patient
from smart import cors
from tests import factories
from tests.smart.app import App


@pytest.fixture(autouse=True)
def _cheap_passwords(settings) -> None:
    """Passwords are not what is tried here, and hashing them well takes time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


@pytest.fixture(autouse=True)
def _origins_of_this_test() -> None:
    cors.ORIGINS.forget()


@pytest.fixture
def alice(db: None) -> Patient:
    return factories.create_patient("Alice Moreno")


@pytest.fixture
def browser(alice: Patient) -> Browser:
    """Alice's, signed in."""
    browser = Browser()
    browser.force_login(alice.user)
    return browser


@pytest.fixture
def racing_app(transactional_db: None) -> App:
    """Its transactions are real ones, so that threads meet in the database."""
    browser = Browser()
    browser.force_login(factories.create_patient("Alice Moreno").user)
    return App(browser)


@pytest.fixture
def app(browser: Browser) -> App:
    return App(browser)
