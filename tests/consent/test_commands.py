from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands, dependents, provisions
from consent.models import Consent, ConsentVersion
from consent.vocabulary import Category
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


def test_a_grant_makes_version_one_with_what_was_shown(alice):
    consent = factories.create_consent(alice)
    version = consent.versions.get()

    assert (version.number, version.status, version.text_language) == (1, "active", "en")
    assert version.text_shown == "Share your records with Acme?"
    assert len(version.digest) == 64
    assert AuditEvent.objects.get(type="consent:grant").consent_number == 1
    assert Notice.objects.get(kind="app_connected").context == {"app": "Acme"}


def test_a_second_grant_to_the_same_client_is_a_new_version(alice):
    acme = factories.acme_client()
    first = factories.create_consent(alice, acme)
    second = factories.create_consent(alice, acme, categories=[Category.MEDICINES])

    assert (first.id, second.current_number) == (second.id, 2)
    assert [v.provisions[0]["categories"] for v in second.versions.order_by("number")] == [
        ["demographics", "test-results"],
        ["medicines"],
    ]


def test_a_grant_after_a_stop_is_a_new_consent(alice):
    acme = factories.acme_client()
    first = factories.create_consent(alice, acme)
    commands.revoke(first, by=alice.user)

    assert factories.create_consent(alice, acme).id != first.id


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"categories": []}, "categories"), ({"until": timezone.now() - timedelta(days=1)}, "until")],
)
def test_a_consent_that_cannot_be_is_refused_and_leaves_nothing(alice, changes, field):
    with pytest.raises(provisions.InvalidConsent) as refused:
        factories.create_consent(alice, **changes)

    assert refused.value.field == field
    assert not Consent.objects.exists()


def test_the_database_refuses_to_change_a_version(alice):
    version = factories.create_consent(alice).versions.get()
    for change in (
        lambda: ConsentVersion.objects.filter(pk=version.pk).update(text_shown="else"),
        version.delete,
    ):
        with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
            change()


def test_everything_that_can_rest_on_a_consent_is_registered():
    assert set(dependents.registered()) == {"exports", "health-links", "helper", "writes"}
