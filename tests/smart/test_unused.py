"""What an app may see and does not look at is offered for less when its person is asked again."""

import re
from datetime import datetime, timedelta

import pytest

from accounts.models import Patient
from audit.models import AuditEvent
from consent.models import Consent
from consent.vocabulary import Category
from portal.unused import unused
from tests import factories
from tests.smart.app import LABORATORY, App


@pytest.fixture
def alice(db: None) -> Patient:
    """With a record."""
    return factories.alice()


@pytest.fixture
def connected(app: App, alice: Patient) -> Consent:
    """It may see a name and test results, and has read the name."""
    token = app.connect()["access_token"]
    path = f"/fhir/r4/Patient/{factories.fhir_id(alice)}"
    assert app.machine.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    return Consent.objects.get()


def between(consent: Consent) -> datetime:
    """A moment after the choice and before the read."""
    read = AuditEvent.objects.get(type="record:read").recorded_at
    return consent.current.made_at + (read - consent.current.made_at) / 2


def in_90_days(moment: datetime) -> datetime:
    return moment + timedelta(days=90)


def test_what_it_read_is_used_and_the_rest_is_not(connected):
    since = between(connected)

    dropped, told = unused(connected, at=in_90_days(since))

    assert told == since
    assert Category.TEST_RESULTS in dropped
    assert Category.DEMOGRAPHICS not in dropped


def test_what_it_read_long_ago_is_not_used_now(connected):
    dropped, _ = unused(connected, at=in_90_days(between(connected)) + timedelta(days=1))

    assert dropped == set(connected.current.permit.categories)


def test_a_choice_that_is_young_is_left_alone(connected):
    dropped, _ = unused(connected, at=connected.current.made_at + timedelta(days=89))

    assert dropped == frozenset()


def test_what_another_app_read_counts_for_nothing(connected, browser):
    other = App(browser, factories.acme_client())
    other.connect()
    consent = Consent.objects.get(client=other.client)

    dropped, _ = unused(consent, at=in_90_days(consent.current.made_at))

    assert dropped == set(consent.current.permit.categories)


def boxes(app: App) -> dict[str, tuple[bool, str]]:
    """Value → whether it is ticked, and what it says."""
    page = app.browser.get(app.page()).content.decode()
    found = re.findall(r'<input([^>]*name="categories"[^>]*)><label[^>]*>([^<]*)<', page)
    return {re.search(r'value="([^"]*)"', box)[1]: ("checked" in box, says) for box, says in found}


def test_the_page_leaves_it_unticked_and_says_why(app, connected, settings):
    assert boxes(app)[Category.TEST_RESULTS][0]

    settings.UNUSED_AFTER_DAYS = 0
    ticked, says = boxes(app)[Category.TEST_RESULTS]

    assert not ticked
    assert "(it read nothing of this since " in says


def test_the_person_may_tick_it_all_the_same(app, connected, settings):
    settings.UNUSED_AFTER_DAYS = 0

    answer = app.redeem(app.code(what="choose", categories=["test-results"])).json()

    assert f"Observation.rs?category={LABORATORY}" in answer["scope"]
