"""A log that does not verify is shouted about: a case is opened, and every page of the console says it."""

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from audit import health
from audit.health import State
from audit.models import AuditEvent
from compliance.models import Investigation
from notices import outbox
from tests import factories

pytestmark = pytest.mark.django_db
WHAT = "entry 41, event 01a2: its row is missing"


@pytest.fixture
def console(client):
    client.force_login(factories.create_staff("Cora Compliance", "compliance"))
    return client


def test_a_log_that_was_changed_opens_one_case():
    health.report_state(State.BROKEN, WHAT)
    health.report_state(State.BROKEN, WHAT)

    case = Investigation.objects.get()
    opened = AuditEvent.objects.get(type="investigation:open")
    assert (case.origin, case.status, case.search) == ("alert", "received", {"log": "broken", "what": WHAT})
    assert (opened.actor, opened.role, opened.target) == (
        "System/monitor",
        "system",
        f"Investigation/{case.pk}",
    )


def test_privacy_officers_and_compliance_get_one_e_mail_each(mailoutbox):
    told = [factories.create_staff("Pia Privacy", "privacy_officer", "compliance")]
    told.append(factories.create_staff("Cora Compliance", "compliance"))
    factories.create_staff("Sam Support", "support")
    gone = factories.create_staff("Gus Gone", "privacy_officer")
    gone.is_active = False
    gone.save()

    health.report_state(State.BROKEN, WHAT)
    health.report_state(State.BROKEN, WHAT)
    outbox.send_due()

    assert sorted(m.to[0] for m in mailoutbox) == sorted(user.email for user in told)
    assert {m.subject for m in mailoutbox} == {"The audit log needs you now"}
    assert "/admin/cases/" in mailoutbox[0].body
    assert WHAT not in mailoutbox[0].body


def test_the_e_mail_goes_out_though_the_log_is_on_hold(mailoutbox):
    factories.create_staff("Pia Privacy", "privacy_officer")

    health.report_state(State.TRUNCATED, WHAT, kept=3, expected=5)
    outbox.send_due()

    assert len(mailoutbox) == 1


def test_the_case_is_opened_though_the_log_is_on_hold_from_then_on():
    health.report_state(State.TRUNCATED, WHAT, kept=3, expected=5)

    assert Investigation.objects.get().search["log"] == "truncated"
    with pytest.raises(DatabaseError, match="on hold"), transaction.atomic():
        factories.create_consent(factories.create_patient())


def test_a_log_that_is_only_late_opens_none():
    health.report_state(State.LAGGING, "events wait for their place")

    assert not Investigation.objects.exists()
    assert AuditEvent.objects.get(type="fault:report").reasons == ["log.late"]


def test_what_was_found_is_kept_though_nobody_can_be_told(settings):
    settings.AUDIT_ALARM = "compliance.nowhere.alarm"

    health.report_state(State.BROKEN, WHAT)

    assert health.state() is State.BROKEN


@pytest.mark.parametrize(
    "page", ["admin:index", "admin:log-search", "admin:cases", "admin:smart_client_changelist"]
)
def test_every_page_of_the_console_says_what_was_found(console, page):
    assert WHAT not in console.get(reverse(page)).text
    health.report_state(State.BROKEN, WHAT)

    told = console.get(reverse(page)).text

    assert "The audit log was changed." in told
    assert WHAT in told


def test_the_case_can_be_read_and_closed(console):
    health.report_state(State.BROKEN, WHAT)
    case = Investigation.objects.get()

    assert WHAT in console.get(reverse("admin:case", args=[case.pk])).text
