"""After records were joined, the patient reads why sharing waits, and answers on the page (A13)."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Patient, PatientIdentity
from consent import commands, merging
from consent.vocabulary import Category
from tests import factories
from tests.portal.sharing import post, refreshed

pytestmark = pytest.mark.django_db
PAUSED = "Those you share with were not let in to them."
ASKED = "You had two records with us, and now they are one."


@pytest.fixture
def cora():
    return factories.create_staff("Cora", "compliance")


@pytest.fixture
def alice(client):
    patient = factories.alice()
    client.force_login(patient.user)
    return patient


def merged_into(alice, cora, *apps):
    """A second row of hers, whose apps she is asked about."""
    row = Patient.objects.create(name=alice.name, birth_date=alice.birth_date)
    PatientIdentity.objects.create(patient=row, source="north", fhir_id=f"n-{row.pk.hex[:8]}")
    for app in apps:
        commands.grant(
            patient=row, client=app, categories=[Category.IMAGING], labels=[], by=cora, channel="portal",
            until=timezone.now() + timedelta(days=30), text_shown="Share?", language="en",
        )  # fmt: skip
    merging.merge(cora, alice, row, "One person with two rows")


def test_the_page_says_why_sharing_is_paused_and_that_a_yes_reaches_the_new_records(alice, cora, client):
    consent = factories.create_consent(alice)
    merged_into(alice, cora)

    page = client.get(reverse("portal:sharing")).text
    assert PAUSED in page
    assert "We paused this when more records came to yours." in page
    assert "You paused all sharing." not in page

    said = post(client, "sharing-resume")
    assert "Sharing is on again, now with the records that came." in said
    current = refreshed(consent).current
    assert current.status == "active"
    assert "they see these records too" in current.text_shown


def test_a_pause_of_her_own_says_nothing_of_records(alice, client):
    factories.create_consent(alice)
    post(client, "sharing-pause")

    page = client.get(reverse("portal:sharing")).text
    assert PAUSED not in page
    assert "You paused all sharing." in page


@pytest.mark.parametrize(("do", "status"), [("agree", "active"), ("decline", "rejected")])
def test_an_app_of_the_other_record_is_asked_about_and_answered(alice, cora, client, do, status):
    app = factories.acme_client()
    merged_into(alice, cora, app)
    asked = alice.consents.get(client=app)

    assert reverse("portal:sharing") in client.get(reverse("portal:apps")).text
    assert "An app waits for your answer." in client.get(reverse("portal:apps")).text
    page = client.get(reverse("portal:sharing")).text
    assert ASKED in page
    assert "connect the app once more" in page

    post(client, "sharing-answer", asked.pk, do=do)

    current = refreshed(asked).current
    assert current.status == status
    assert ASKED in current.text_shown
    assert ASKED not in client.get(reverse("portal:sharing")).text


def test_a_yes_that_takes_the_place_of_another_says_so(alice, cora, client):
    app = factories.acme_client()
    merged_into(alice, cora, app)
    words = "this takes the place of what you share with them now"
    assert words not in client.get(reverse("portal:sharing")).text

    commands.grant(
        patient=alice, client=app, categories=[Category.MEDICINES], labels=[], by=alice.user,
        channel="portal", until=timezone.now() + timedelta(days=30), text_shown="Share?", language="en",
    )  # fmt: skip
    assert words in client.get(reverse("portal:sharing")).text


def test_starting_again_agrees_to_nothing_that_was_asked(alice, cora, client):
    factories.create_consent(alice)
    app = factories.acme_client()
    merged_into(alice, cora, app)

    post(client, "sharing-resume")

    assert alice.consents.get(client=app).status == "proposed"


def test_the_app_page_says_what_waits_to_who_has_no_other_app(alice, cora, client):
    merged_into(alice, cora, factories.acme_client())

    page = client.get(reverse("portal:apps")).text
    assert "Apps show here after you choose to share." not in page
