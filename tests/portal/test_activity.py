"""The activity list is the log: the same rows, in words, folded and never lost."""

from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands
from portal.activity import fold
from tests import factories

pytestmark = pytest.mark.django_db


def a_read(id: int, role: str) -> AuditEvent:
    return AuditEvent(
        id=UUID(int=id),
        recorded_at=timezone.now(),
        type="record:search",
        outcome="permit",
        actor="Client/acme",
        role=role,
        reasons=[],
        categories=[],
        correlation_id="one-request",
    )


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
    page = client.get(reverse("portal:activity"), {"who": "everyone"}).content.decode()

    assert "You stopped sharing" in page
    assert "MISSING" not in page


def test_own_looks_are_counted_by_page_and_not_by_search(alice, client):
    for _ in range(3):
        client.get("/medicines/")
    events = AuditEvent.objects.filter(type="record:search").order_by("-recorded_at", "-id")
    (line,) = fold(events)

    assert len(line.ids) > line.count == 3


def test_each_read_of_an_app_counts_even_within_one_request():
    events = [a_read(id=n, role="client") for n in range(3)]

    assert [line.count for line in fold(events)] == [3]


def test_the_details_of_a_folded_line_name_every_entry(alice, client):
    client.get("/medicines/")
    client.get("/medicines/")
    page = client.get(reverse("portal:activity"), {"who": "me"})
    (line,) = [row["line"] for row in page.context["lines"] if row["line"].event.type == "record:search"]
    details = reverse("portal:activity-event", args=[line.event.id])
    ids = [str(entry["event"].id) for entry in client.get(f"{details}?line").context["entries"]]

    assert f'href="{details}?line"' in page.text
    assert ids == line.ids
    assert client.get(details).context["entries"] == []


def test_the_list_is_of_others_first_and_of_everyone_on_request(alice, client):
    client.get("/medicines/")
    alone = client.get(reverse("portal:activity"))

    assert "Nobody else yet" in alone.text
    assert 'href="?who=everyone"' in alone.text
    everyone = client.get(reverse("portal:activity"), {"who": "everyone"})
    assert "record:search" in {row["line"].event.type for row in everyone.context["lines"]}


def test_nobody_sees_the_activity_of_another(alice, client):
    mallory = factories.mallory()
    factories.create_consent(mallory)
    event = AuditEvent.objects.get(patient=f"Patient/{mallory.pk}", type="consent:grant")

    assert "Mallory" not in client.get(reverse("portal:activity"), {"who": "everyone"}).content.decode()
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
