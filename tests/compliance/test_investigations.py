"""A question about an event is looked into and answered; who searches the log says why, and is in it."""

import json
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.models import StaffRole
from audit import feed
from audit.models import AuditEvent
from compliance import investigations, searching
from compliance.models import Investigation
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def cora():
    user = factories.create_user("Cora", is_staff=True)
    StaffRole.objects.create(user=user, role="compliance")
    return user


@pytest.fixture
def console(client, cora):
    """Cora's browser, after she said why she searches."""
    client.force_login(cora)
    client.post(reverse("admin:log-search"), {"reason": "complaint"})
    return client


@pytest.fixture
def event(alice):
    factories.create_consent(alice)
    return AuditEvent.objects.get(type="consent:grant", patient=f"Patient/{alice.pk}")


@pytest.fixture
def case(alice, event):
    return investigations.ask(event, patient=alice, by=alice.user, text="Who is this?")


def change(console, case, **data):
    return console.post(reverse("admin:case-change", args=[case.pk]), data, follow=True)


@pytest.mark.parametrize("do", ["take", "answer", "close", "hold", "release"])
def test_nobody_looks_into_what_they_did_themselves(alice, cora, console, do):
    console.get(reverse("admin:log-search"), {"patient": f"Patient/{alice.pk}"})
    hers = AuditEvent.objects.get(actor=f"User/{cora.pk}", patient=f"Patient/{alice.pk}")
    case = investigations.ask(hers, patient=alice, by=alice.user)

    page = change(console, case, do=do, text="It was nothing.")

    case.refresh_from_db()
    assert "A colleague must look into it" in page.text
    assert (case.status, case.answer, case.assigned_to, case.hold) == ("received", "", None, False)
    refused = AuditEvent.objects.get(type="investigation:change", outcome="deny")
    assert (refused.actor, refused.target) == (f"User/{cora.pk}", f"Investigation/{case.pk}")
    change(console, case, do="note", text="I looked because of a complaint.")
    assert case.steps.filter(what="note").exists()


def test_an_officer_answers_no_question_of_their_own(cora, console):
    own = factories.create_patient("Cora")
    own.user = cora
    own.save()
    factories.create_consent(own)
    event = AuditEvent.objects.get(type="consent:grant", patient=f"Patient/{own.pk}")
    case = investigations.ask(event, patient=own, by=cora)

    assert "A colleague must look into it" in change(console, case, do="take").text


def test_a_patient_asks_and_reads_the_answer(alice, event, client, cora):
    client.force_login(alice.user)
    answer = client.post(reverse("portal:activity-report", args=[event.id]), {"text": "Who is this?"})
    case = Investigation.objects.get()

    assert answer["Location"] == reverse("portal:question", args=[case.pk])
    assert "Received" in client.get(answer["Location"]).text
    investigations.take(case, by=cora)
    investigations.note(case, by=cora, text="Looks like a secret")
    assert "Being looked at" in client.get(answer["Location"]).text
    investigations.answer(case, by=cora, text="It was your app <b>Acme</b>.")
    page = client.get(answer["Location"]).text
    assert "It was your app &lt;b&gt;Acme&lt;/b&gt;." in page
    assert "secret" not in page
    assert reverse("portal:question", args=[case.pk]) in client.get(reverse("portal:questions")).text


def test_the_notice_of_an_answer_has_not_a_word_of_it(alice, case, cora):
    investigations.answer(case, by=cora, text="It was the lab.")
    notice = Notice.objects.get(kind="question_answered")

    assert notice.recipient == f"User/{alice.user.pk}"
    assert notice.context == {}


def test_asking_twice_is_one_question(alice, event, case):
    assert investigations.ask(event, patient=alice, by=alice.user) == case


def test_nobody_asks_about_or_reads_what_is_anothers(event, case, client):
    client.force_login(factories.mallory().user)

    assert client.post(reverse("portal:activity-report", args=[event.id])).status_code == 404
    assert client.get(reverse("portal:question", args=[case.pk])).status_code == 404


def test_what_staff_look_into_by_themselves_is_no_question_of_the_patients(alice, event, cora, client):
    found = investigations.open_case(by=cora, origin="search", events=[event], patient=alice)
    client.force_login(alice.user)

    assert client.get(reverse("portal:question", args=[found.pk])).status_code == 404


@pytest.mark.parametrize("status", Investigation.Status)
def test_where_a_case_may_go_is_said_for_every_status(status):
    assert investigations.NEXT[status] <= set(Investigation.Status)


def test_every_step_is_in_its_history_and_in_the_log(alice, case, console):
    for data in (
        {"do": "take"},
        {"do": "note", "text": "Asked the clinic."},
        {"do": "hold"},
        {"do": "answer", "text": "It was you."},
        {"do": "close"},
    ):
        change(console, case, **data)
    case.refresh_from_db()
    steps = [step.what for step in case.steps.all()]
    events = AuditEvent.objects.filter(target=f"Investigation/{case.pk}", type__startswith="investigation:")

    assert steps == ["received", "assigned", "note", "hold", "answered", "closed"]
    assert (case.status, case.hold) == ("closed", True)
    assert events.count() == 6
    assert set(events.values_list("patient", flat=True)) == {f"Patient/{alice.pk}"}
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"do": "answer", "text": " "}, "Write the answer first."),
        ({"do": "note"}, "Write the note first."),
        ({"do": "close"}, "The patient waits for an answer."),
        ({"do": "delete"}, "Press one of the buttons."),
    ],
)
def test_what_does_not_fit_is_refused_in_words(case, console, data, words):
    assert words in change(console, case, **data).text
    case.refresh_from_db()
    assert case.status == "received"


def test_a_month_is_kept_while_a_case_is_open_or_held(case, cora):
    month = f"{datetime.now(UTC):%Y-%m}"
    assert investigations.holds_month(month)
    assert not investigations.holds_month("2001-01")

    investigations.answer(case, by=cora, text="It was the lab.")
    assert not investigations.holds_month(month)
    investigations.hold(case, by=cora, held=True)
    assert investigations.holds_month(month)
    assert investigations.held_partitions() == {f"audit_event_{month.replace('-', '_')}"}


def test_a_reason_is_asked_before_the_search_opens(client, cora, event):
    client.force_login(cora)
    address = f"{reverse('admin:log-search')}?type=consent:grant"

    assert str(event.id) not in client.get(address).text
    client.post(reverse("admin:log-search"), {"reason": "because"})
    assert str(event.id) not in client.get(address).text
    client.post(reverse("admin:log-search"), {"reason": "alert"})
    assert str(event.id) in client.get(address).text


def test_a_search_is_in_the_log_with_its_reason_and_in_the_patients_list(alice, console, event):
    console.get(reverse("admin:log-search"), {"patient": f"Patient/{alice.pk}", "type": "consent:grant"})
    look = AuditEvent.objects.get(type="audit:read", target="Console/log-search")

    assert look.patient == f"Patient/{alice.pk}"
    assert look.detail == {"reason": "complaint", "filters": "patient|type"}


@pytest.mark.parametrize("with_patient", [True, False])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"type": "consent:grant", "outcome": "done"}, True),
        ({"role": "patient", "category": "test-results"}, True),
        ({"type": "consent:grant", "since": "2001-01-01", "until": "2100-01-01"}, True),
        ({"type": "consent:grant", "until": "2001-01-01"}, False),
        ({"type": "consent:grant", "reason": "consent.none"}, False),
        ({"type": "consent:grant", "actor": "User/nobody"}, False),
    ],
)
def test_any_fields_together(alice, console, event, query, found, with_patient):
    query = query | ({"patient": f"Patient/{alice.pk}"} if with_patient else {})
    page = console.get(reverse("admin:log-search"), query)

    assert (event.id in [e.id for e in page.context["found"].events]) is found


@pytest.mark.parametrize("patient", [True, False])
def test_pages_of_a_search_hold_every_event_once(alice, event, monkeypatch, patient):
    monkeypatch.setattr(feed, "MOST_LOOKED_AT", 4)
    for _ in range(5):
        factories.create_consent(alice)
    query = {"type": "consent:grant"} | ({"patient": f"Patient/{alice.pk}"} if patient else {})
    found, cursor = [], ""
    while True:
        form = searching.SearchForm(query | {"after": cursor})
        assert form.is_valid()
        page = form.page(size=2)
        found += [e.id for e in page.events]
        if not (cursor := page.next_cursor):
            break

    wanted = AuditEvent.objects.filter(type="consent:grant", patient=f"Patient/{alice.pk}")
    assert sorted(found) == sorted(wanted.values_list("id", flat=True))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"since": "2026-02-02", "until": "2026-02-01"}, "The first day must come before the last day."),
        ({"patient": "Alice Moreno"}, "Write it as Patient/"),
        ({"type": "x:y"}, "Select a valid choice"),
        ({"type": "consent:grant", "after": "made-up"}, "This page link was changed"),
    ],
)
def test_bad_input_gets_a_clear_message(console, query, words):
    assert words in console.get(reverse("admin:log-search"), query).text


def test_a_search_becomes_a_case_with_the_events_that_were_ticked(alice, console, event):
    address = f"{reverse('admin:log-search')}?patient=Patient/{alice.pk}&type=consent:grant"
    answer = console.post(address, {"event": [str(event.id), "no-id"], "save": "1"})
    case = Investigation.objects.get()

    assert answer["Location"] == reverse("admin:case", args=[case.pk])
    assert case.search == {"patient": f"Patient/{alice.pk}", "type": "consent:grant"}
    assert (case.origin, case.patient) == ("search", alice)
    assert [e.event_id for e in case.events.all()] == [event.id]
    assert str(event.id) in console.get(answer["Location"]).text


def test_the_exact_origin_is_for_auditors_and_the_pack_has_the_events(case, console, event):
    page = console.get(reverse("admin:case", args=[case.pk])).text
    pack = b"".join(console.get(reverse("admin:case-pack", args=[case.pk])).streaming_content).decode()
    first, *events = [json.loads(line) for line in pack.splitlines()]

    assert "Who is this?" in page
    assert "checkpoint" in first
    assert [e["payload"] for e in events] == [event.payload]
    assert AuditEvent.objects.filter(type="audit:download", target=f"Investigation/{case.pk}").exists()


@pytest.mark.parametrize("name", ["log-search", "cases", "disclosures"])
def test_A22_only_those_who_answer_for_the_log_open_these_pages(client, name):
    client.force_login(factories.create_user("Sam", is_staff=True))

    assert client.get(reverse(f"admin:{name}")).status_code == 403


def test_every_page_of_the_console_is_in_the_log(console, case):
    for name, arguments in (("cases", []), ("case", [case.pk]), ("disclosures", [])):
        assert console.get(reverse(f"admin:{name}", args=arguments)).status_code == 200
        assert AuditEvent.objects.filter(type="admin:view", target=f"Console/{name}").exists()
