"""An alert is raised once for one thing; people put it off, judge it, act on it and take that back by two."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from compliance.models import Investigation
from compliance.monitoring import actions, alerts
from compliance.monitoring.detectors import table
from compliance.monitoring.models import Alert, AlertAction
from compliance.monitoring.trail import NotNow, OwnDoing
from notices.models import Notice
from smart.models import Client
from tests import factories
from tests.compliance.monitoring.watching import ACME, app_reads, at, reads, watch

pytestmark = pytest.mark.django_db
ODD = {"denied": "consent.category"}


@pytest.fixture
def cora(db):
    return factories.create_staff("Cora Lind", "compliance")


@pytest.fixture
def pia(db):
    return factories.create_staff("Pia Privacy", "privacy_officer")


@pytest.fixture
def acme(db):
    return factories.acme_client(client_id="acme")


def refused(day, times=60, hour=10):
    return app_reads(at(day, hour), times, **ODD)


def of_app(found):
    (alert,) = [each for each in found if each.kind == "client"]
    return alert


def changes(alert):
    rows = AuditEvent.objects.filter(type="alert:change", target=f"Alert/{alert.pk}").order_by("id")
    return [(e.detail["step"], e.outcome) for e in rows]


def close_record(osei):
    mine = factories.create_patient("Ngozi Osei")
    (alert,) = [
        each
        for each in watch(reads(osei, at(1), 1, patient=f"Patient/{_owned(mine, osei)}"))
        if each.detector == "close-record"
    ]
    return alert, mine


def _owned(patient, user):
    type(patient).objects.filter(pk=patient.pk).update(user=user)
    return patient.pk


def test_what_goes_on_is_the_same_alert_and_grows():
    first = of_app(watch(refused(1)))
    again = of_app(watch(refused(1, 30, hour=10.5), refused(2, 90)))

    assert (first.pk, first.count, first.found_count) == (again.pk, 60, 1)
    assert (again.count, again.found_count) == (90, 2)
    assert again.found_at > first.found_at
    assert AuditEvent.objects.filter(type="alert:raise", target=f"Alert/{first.pk}").count() == 1


def test_the_database_holds_one_open_alert_of_a_kind():
    alert = of_app(watch(refused(1)))
    alert.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        alert.save(force_insert=True)


def test_a_closed_alert_is_not_raised_again_by_the_same_hour_and_is_by_the_next(cora):
    alert = of_app(watch(refused(1)))
    alerts.close(alert, by=cora, verdict="wrong", note="A test of theirs.")

    assert [each for each in watch(refused(1, 20, hour=10.5)) if each.kind == "client"] == []
    assert of_app(watch(refused(1, hour=12))).pk != alert.pk


def test_an_alert_that_is_put_off_is_off_the_list_until_then(cora, client):
    alert = of_app(watch(refused(1)))
    client.force_login(cora)
    alerts.snooze(alert, by=cora, days=7, reason="They told us that they test.")

    assert client.get("/admin/alerts/", {"detector": "denials", "subject": ACME}).context["told"] == []
    assert len(client.get("/admin/alerts/", {"stands": "snoozed"}).context["told"]) == 1
    Alert.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    assert len(client.get("/admin/alerts/", {"subject": ACME}).context["told"]) == 1
    assert changes(alert) == [("snoozed", "done")]


@pytest.mark.parametrize(("days", "reason"), [(7, " "), (0, "Later."), (31, "Later.")])
def test_putting_off_takes_a_reason_and_has_an_end(cora, days, reason):
    alert = of_app(watch(refused(1)))
    with pytest.raises(NotNow):
        alerts.snooze(alert, by=cora, days=days, reason=reason)


def test_feedback_moves_the_limit_of_its_detector_alone(cora):
    alert = of_app(watch(refused(1)))
    alerts.close(alert, by=cora, verdict="wrong", note="A test of theirs.")

    tunings = alerts.tunings()
    assert (tunings["denials"], tunings["enumeration"]) == (pytest.approx(1.1), 1)
    with pytest.raises(NotNow):
        alerts.close(alert, by=cora, verdict="wrong", note="Twice counts once.")
    Alert.objects.update(raised_at=timezone.now() - alerts.JUDGED_SINCE - timedelta(days=1))
    assert alerts.tunings()["denials"] == 1


def test_feedback_raises_the_limit_that_the_next_window_is_held_against(cora):
    limit = table()["denials"].alone
    alert = of_app(watch(refused(1, limit + 1)))
    alerts.close(alert, by=cora, verdict="wrong", note="A test of theirs.")

    assert [each for each in watch(refused(2, limit + 1)) if each.kind == "client"] == []


def test_nobody_judges_what_they_did_themselves(cora):
    osei = factories.create_staff("Dr. Ngozi Osei", "clinician", "compliance")
    alert, _ = close_record(osei)

    for act in (alerts.close, alerts.snooze):
        with pytest.raises(OwnDoing):
            act(alert, by=osei, **({"verdict": "wrong", "note": "x"} if act is alerts.close else SNOOZE))
    assert Alert.objects.get().status == "open"


SNOOZE = {"days": 1, "reason": "x"}


def test_no_alert_acts_by_itself_unless_the_setting_says_so(acme):
    watch(app_reads(at(1), 60, denied="record.not-found"))

    assert not AlertAction.objects.exists()
    assert Client.objects.get(pk=acme.pk).status == "active"


def test_a_detector_that_may_act_suspends_the_app_and_two_people_take_it_back(settings, acme, cora, pia):
    settings.MONITOR_ACTIONS = {"enumeration"}
    watch(app_reads(at(1), 60, denied="record.not-found"))
    (action,) = AlertAction.objects.all()

    assert Client.objects.get(pk=acme.pk).status == "suspended"
    actions.undo(action, by=cora)
    with pytest.raises(NotNow, match="second person"):
        actions.undo(action, by=cora)
    assert Client.objects.get(pk=acme.pk).status == "suspended"
    actions.undo(action, by=pia)

    assert Client.objects.get(pk=acme.pk).status == "active"
    assert changes(action.alert) == [(w, "done") for w in ("suspend-client", "undo-asked", "undone")]
    with pytest.raises(NotNow):
        actions.undo(action, by=pia)


def test_the_database_too_wants_a_second_person(settings, acme, cora):
    settings.MONITOR_ACTIONS = {"enumeration"}
    watch(app_reads(at(1), 60, denied="record.not-found"))

    with pytest.raises(IntegrityError), transaction.atomic():
        AlertAction.objects.update(undo_asked_by=cora, undone_by=cora, undone_at=timezone.now())


def test_an_app_that_is_not_there_is_no_reason_to_lose_the_alert(settings):
    settings.MONITOR_ACTIONS = {"enumeration"}
    found = watch(app_reads(at(1), 60, denied="record.not-found"))

    (alert,) = [each for each in found if each.detector == "enumeration"]
    assert changes(alert) == [("act-failed", "done")]


def test_sessions_end_by_a_persons_button(cora):
    osei = factories.create_staff("Dr. Ngozi Osei", "clinician")
    browser = Browser()
    browser.force_login(osei)
    key = browser.session.session_key
    UserSession.objects.get_or_create(
        session_key=key, defaults={"user": osei, "ip": "127.0.0.1", "user_agent": "a browser"}
    )
    alert, _ = close_record(osei)

    action = actions.do(alert, "end-sessions", by=cora)

    assert action.ended_count == 1
    assert not SessionStore().exists(key)
    assert User.objects.get(pk=osei.pk).is_active


def test_a_case_has_the_events_and_is_opened_once(cora):
    alert = of_app(watch(refused(1)))

    case = alerts.open_case(alert, by=cora)

    assert alerts.open_case(alert, by=cora) == case
    assert (case.origin, case.events.count()) == (Investigation.Origin.ALERT, len(alert.events))


def test_the_patient_is_told_when_a_person_decides_it_and_not_before(cora):
    osei = factories.create_staff("Dr. Ngozi Osei", "clinician")
    alice, tom = factories.alice(), factories.tom()
    factories.helps(osei, alice)
    (alert,) = [a for a in watch(reads(osei, at(1), 1, patient=f"Patient/{alice.pk}")) if a.about]
    about_alice = AuditEvent.objects.filter(patient=f"Patient/{alice.pk}", type__startswith="alert:")
    assert not about_alice.exists()

    alerts.tell(alert, by=cora)

    assert [e.detail["step"] for e in about_alice] == ["told"]
    assert Notice.objects.get(kind="use_checked").recipient == f"User/{alice.user_id}"
    with pytest.raises(NotNow):
        alerts.tell(alert, by=cora)
    Alert.objects.update(about=f"Patient/{tom.pk}", told_at=None)
    with pytest.raises(NotNow):
        alerts.tell(alert, by=cora)
