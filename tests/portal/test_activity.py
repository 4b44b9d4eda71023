"""The activity list is the log: the same rows, in words, folded and never lost."""

from functools import partial
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from audit import feed
from audit.log import record
from audit.models import AuditEvent
from consent import commands
from portal.activity import fold, folded_page
from tests import factories
from tests.audit.cast import entry

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


def test_an_app_that_asks_without_end_does_not_push_all_else_out_of_sight(alice, client):
    def asks(name):
        client = f"Client/{name}"
        record(entry(actor=client, client=client, patient=f"Patient/{alice.pk}", consent=""))

    asks("quiet")
    for _ in range(120):
        asks("loud")

    page = client.get(reverse("portal:activity"))

    lines = [row["line"] for row in page.context["lines"]]
    assert [(line.event.client, line.count) for line in lines[:2]] == [
        ("Client/loud", 120),
        ("Client/quiet", 1),
    ]
    details = reverse("portal:activity-event", args=[lines[0].event.id])
    assert len(client.get(f"{details}?line").context["entries"]) == 120


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


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("who=strangers", "Choose one from the list."),
        ("result=odd", "Choose one from the list."),
        ("app=not-mine", "Choose one from the list."),
        ("category=x", "Choose one from the list."),
        ("since=yesterday", "Choose a day, like 2026-06-12."),
        ("since=2026-06-12&until=2026-06-11", "The first day must come before the last day."),
        ("after=made-up", "This link does not work any more."),
        ("after=" + "x" * 500, "This link does not work any more."),
    ],
)
def test_bad_input_gets_a_clear_message_and_no_list(alice, client, query, words):
    factories.create_consent(alice)
    answer = client.get(f"{reverse('portal:activity')}?{query}")

    assert answer.status_code == 422
    assert words in answer.text
    assert 'href="/activity/"' in answer.text
    assert "lines" not in answer.context
    assert not AuditEvent.objects.filter(type="audit:read").exists()


@pytest.mark.parametrize(("query", "is_open"), [("", False), ("?result=blocked", True), ("?since=x", True)])
@pytest.mark.usefixtures("alice")
def test_filters_take_no_room_until_one_is_on(client, query, is_open):
    page = client.get(reverse("portal:activity") + query).content.decode()

    assert ("<details open><summary>Choose what to show" in page) is is_open


def test_filters_by_app_kind_of_record_and_days(alice, client):
    consent = factories.create_consent(alice)
    app = consent.client.client_id
    today = timezone.localdate().isoformat()

    def types(**query):
        page = client.get(reverse("portal:activity"), {"who": "everyone"} | query)
        return [row["line"].event.type for row in page.context["lines"]]

    assert "consent:grant" in types(app=app)
    assert "consent:grant" in types(category="test-results", since=today, until=today)
    assert types(app=app, category="insurance") == []
    assert types(until="2001-01-01") == []


def test_a_day_is_a_day_of_the_persons_time_zone(alice, client):
    alice.user.time_zone = "Pacific/Kiritimati"  # 14 hours ahead
    alice.user.save()
    form = client.get(reverse("portal:activity"), {"since": "2026-06-12", "until": "2026-06-12"}).context[
        "form"
    ]
    with timezone.override("Pacific/Kiritimati"):
        filters = form.filters

    assert filters.since.isoformat() == "2026-06-12T00:00:00+14:00"
    assert filters.until.isoformat() == "2026-06-13T00:00:00+14:00"


def test_pages_go_on_with_the_same_filters_and_htmx_gets_lines_alone(alice, client, monkeypatch):
    factories.create_consent(alice)
    for path in ("/results/", "/medicines/", "/vaccines/"):
        client.get(path)
    monkeypatch.setattr(feed, "page", partial(feed.page, size=2))
    monkeypatch.setattr("portal.activity.MORE", 1)
    first = client.get(reverse("portal:activity"), {"who": "me"})
    older = first.context["older"]
    more = client.get(f"{reverse('portal:activity')}?{older}", headers={"HX-Request": "true"})

    assert "who=me" in older
    assert more.status_code == 200
    assert "<html" not in more.text
    ids = [str(row["line"].event.id) for row in first.context["lines"]]
    assert ids
    assert 'id="event-' in more.text
    assert not [event_id for event_id in ids if event_id in more.text]


def test_A17_a_name_is_text_and_nothing_else(alice, client):
    consent = factories.create_consent(alice)
    type(consent.client).objects.filter(pk=consent.client_id).update(name="<script>alert(1)</script>")
    everywhere = client.get(reverse("portal:activity"), {"who": "everyone"}).text

    assert "<script>alert" not in everywhere
    assert "&lt;script&gt;alert(1)" in everywhere


def test_an_event_says_why_and_under_which_version(alice, client):
    consent = factories.create_consent(alice)
    event = AuditEvent.objects.get(type="consent:grant")
    page = client.get(reverse("portal:activity-event", args=[event.id])).text

    assert "You allowed this on" in page
    assert "(version 1 of your choices)" in page
    assert reverse("portal:app", args=[consent.id]) in page


def test_reading_the_log_stands_in_the_log(alice, client):
    client.get(reverse("portal:activity"))

    assert AuditEvent.objects.filter(type="audit:read", actor=f"User/{alice.user.pk}").count() == 1


def test_the_list_asks_the_database_a_fixed_number_of_times(alice, client, django_assert_max_num_queries):
    for _ in range(8):
        factories.create_consent(alice)
    with django_assert_max_num_queries(10):
        client.get(reverse("portal:activity"))


def test_P11_a_page_of_one_thing_again_and_again_goes_on_to_other_lines_and_stops_at_a_pages_worth(alice):
    patient = f"Patient/{alice.pk}"
    with transaction.atomic():
        for number in range(60):
            record(entry(patient=patient, target=f"Observation/{number}"))
        for _ in range(55):
            record(entry(patient=patient, target="Observation/same", categories=("notes", "medicines")))

    first = folded_page(patient, feed.Filters(), "")
    second = folded_page(patient, feed.Filters(), first.next_cursor)
    lines = [*first.lines, *second.lines]

    assert [len(first.lines), len(second.lines)] == [feed.SIZE, 11]
    assert first.lines[0].count == 55
    assert first.lines[0].event.categories == ["medicines", "notes"]
    assert [line.event.target for line in lines[1:]] == [f"Observation/{n}" for n in reversed(range(60))]
    assert all(line.event.detail == {} for line in lines)  # whole events, each of them
    every = AuditEvent.objects.filter(patient=patient).order_by(*feed.NEWEST_FIRST)
    assert [i for line in lines for i in line.ids] == [str(event.id) for event in every]
