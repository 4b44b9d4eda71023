"""The activity list is the log: the same rows, in words, folded and never lost."""

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from consent import commands
from portal.activity import fold
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    patient = factories.alice()
    client.force_login(patient.user)
    return patient


def test_I6_every_row_of_the_log_is_in_the_list_once(alice, client):
    consent = factories.create_consent(alice)
    commands.revoke(consent, by=alice.user)
    for path in ("/results/", "/medicines/", "/results/"):
        client.get(path)
    events = list(AuditEvent.objects.filter(patient=f"Patient/{alice.pk}").order_by("-recorded_at", "-id"))
    ids = [event_id for line in fold(events) for event_id in line.ids]

    assert sorted(ids) == sorted(str(e.id) for e in events)
    assert len(ids) == len(set(ids))


def test_a_change_and_a_refusal_both_stand_there_in_words(alice, client):
    consent = factories.create_consent(alice)
    commands.revoke(consent, by=alice.user)
    page = client.get(reverse("portal:activity")).content.decode()

    assert "You stopped sharing" in page
    assert "MISSING" not in page


def test_nobody_sees_the_activity_of_another(alice, client):
    mallory = factories.mallory()
    factories.create_consent(mallory)
    event = AuditEvent.objects.get(patient=f"Patient/{mallory.pk}", type="consent:grant")

    assert "Mallory" not in client.get(reverse("portal:activity")).content.decode()
    assert client.get(reverse("portal:activity-event", args=[event.id])).status_code == 404


@pytest.mark.parametrize("query", ["who=strangers", "result=odd", "after=made-up", "after=" + "x" * 500])
def test_a_filter_that_does_not_exist_leads_back_to_the_list(alice, client, query):
    answer = client.get(f"{reverse('portal:activity')}?{query}")

    assert (answer.status_code, answer["Location"]) == (302, reverse("portal:activity"))


def test_reading_the_log_stands_in_the_log(alice, client):
    client.get(reverse("portal:activity"))

    assert AuditEvent.objects.filter(type="audit:read", actor=f"User/{alice.user.pk}").count() == 1


def test_the_list_asks_the_database_a_fixed_number_of_times(alice, client, django_assert_max_num_queries):
    for _ in range(8):
        factories.create_consent(alice)
    with django_assert_max_num_queries(8):
        client.get(reverse("portal:activity"))
