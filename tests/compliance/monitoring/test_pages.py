"""The console's pages for alerts and detectors: who may, what they say, what they leave in the log."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEvent
from compliance.monitoring.models import Alert
from tests import factories
from tests.compliance.monitoring.watching import ACME, app_reads, at, reads, watch

pytestmark = pytest.mark.django_db
LIST = reverse("admin:alerts")


@pytest.fixture
def cora(client):
    user = factories.create_staff("Cora Lind", "compliance")
    client.force_login(user)
    return user


@pytest.fixture
def alert(db):
    found = watch(app_reads(at(1), 60, denied="consent.category"))
    return next(each for each in found if each.kind == "client")


def press(client, alert, do, **said):
    return client.post(reverse("admin:alert-change", args=[alert.pk]), {"do": do} | said, follow=True)


def test_the_list_says_why_and_filters(client, cora, alert):
    assert "Client/acme was refused 60 times" in client.get(LIST).text
    assert "There is no baseline yet" in client.get(LIST).text
    for asked, shown in (
        ({"subject": ACME}, 1),
        ({"severity": "low"}, 0),
        ({"detector": "denials"}, 2),  # of the app, and of the endpoint that it asked
        ({"stands": "closed"}, 0),
        ({"since": f"{at(3):%Y-%m-%d}"}, 0),
        ({"since": "no day"}, 0),
    ):
        assert len(client.get(LIST, asked).context["told"]) == shown, asked


def test_the_list_costs_the_same_with_more_in_it(client, cora, alert):
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    for n in range(12):
        Alert.objects.create(**_copy(alert, subject=f"Client/app-{n}"))
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)

    assert len(many) == len(few)


def _copy(alert, **changes):
    names = ("detector", "severity", "kind", "starts_at", "count", "limit", "against", "mean", "windows")
    said = {name: getattr(alert, name) for name in names}
    return said | {"raised_at": alert.raised_at, "found_at": alert.found_at} | changes


def test_the_list_is_saved_as_a_file_that_no_spreadsheet_runs(client, cora, alert):
    Alert.objects.filter(pk=alert.pk).update(subject="Client/x", about="=1+1")

    saved = client.get(LIST, {"save": "1"})

    assert saved["Content-Type"].startswith("text/csv")
    assert "'=1+1" in saved.text
    event = AuditEvent.objects.get(type="audit:download")
    assert (event.actor, event.target, event.count) == (f"User/{cora.pk}", "Console/alerts", 2)


def test_the_page_shows_events_and_leaves_its_trace(client, cora, alert):
    page = client.get(reverse("admin:alert", args=[alert.pk])).text

    assert f"/admin/audit/auditevent/{alert.events[0]}/" in page
    assert "Suspend the app" in page
    assert AuditEvent.objects.filter(type="audit:read", target=f"Alert/{alert.pk}").exists()


def test_buttons_do_what_they_say(client, cora, alert):
    press(client, alert, "note", text="I called them.")
    press(client, alert, "snooze", days="3", text="They answer on Friday.")
    press(client, alert, "wake")
    assert "There is no such app" in press(client, alert, "suspend-client").text
    case = press(client, alert, "case")
    closed = press(client, alert, "right", text="It was a scan.")

    assert case.redirect_chain[-1][0].startswith("/admin/cases/")
    assert "I called them." in closed.text
    assert "it was something" in closed.text
    alert.refresh_from_db()
    assert [step.what for step in alert.steps.all()] == ["note", "snoozed", "woken", "case", "closed-right"]
    assert "It is closed already." in press(client, alert, "wrong", text="No.").text


def test_who_closes_an_alert_about_themselves_is_refused_and_it_is_told(client):
    osei = factories.create_staff("Dr. Ngozi Osei", "clinician", "compliance")
    mine = factories.create_patient("Ngozi Osei")
    type(mine).objects.filter(pk=mine.pk).update(user=osei)
    found = watch(reads(osei, at(1), 1, patient=f"Patient/{mine.pk}"))
    alert = next(each for each in found if each.detector == "close-record")
    client.force_login(osei)

    answer = press(client, alert, "wrong", text="It was nothing.")

    assert "A colleague must look at it." in answer.text
    refused = AuditEvent.objects.get(type="alert:change", outcome="deny")
    assert (refused.actor, refused.target) == (f"User/{osei.pk}", f"Alert/{alert.pk}")


def test_detectors_say_how_often_they_were_wrong_and_which_know_nothing_yet(client, cora, alert):
    before = client.get(reverse("admin:detectors")).text
    press(client, alert, "wrong", text="A test of theirs.")
    after = {row["detector"].name: row for row in client.get(reverse("admin:detectors")).context["rows"]}

    assert "no baseline yet" in before
    assert "none judged" in before
    assert (after["denials"]["wrong"], after["denials"]["rate"]) == (1, 100)
    assert after["denials"]["tuning"] == pytest.approx(1.1)


def test_the_start_page_counts_what_waits(client, cora, alert):
    assert "(2 waiting)" in client.get(reverse("admin:index")).text


@pytest.mark.parametrize("name", ["alerts", "detectors"])
def test_other_staff_stays_out(client, name):
    client.force_login(factories.create_staff("Ada Admin", "administrator"))

    assert client.get(reverse(f"admin:{name}")).status_code == 403
    assert AuditEvent.objects.filter(type="admin:view", outcome="deny").exists()
