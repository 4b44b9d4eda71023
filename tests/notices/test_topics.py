"""How soon a person hears of what: safety at once, the rest as they chose, several in one e-mail."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone

from notices import commands, outbox
from notices.kinds import KINDS
from notices.models import Notice
from notices.topics import DEFAULTS, Delivery, Topic, next_digest
from tests.notices.test_commands import ALICE, MALLORY, enqueue
from tests.notices.test_outbox import make_all_due

ANSWERED = {"kind": "question_answered", "context": {}}


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-05-03T09:00", "2026-05-03T17:00"),
        ("2026-05-03T17:00", "2026-05-04T17:00"),
        ("2026-10-31T20:00", "2026-11-01T17:00"),  # that night the clocks are set back
    ],
)
def test_the_daily_e_mail_goes_at_one_hour_of_the_clinic_s_day(now, then):
    zone = ZoneInfo("America/New_York")
    found = next_digest(datetime.fromisoformat(now).replace(tzinfo=zone))

    assert found.astimezone(zone).isoformat()[:16] == then


@pytest.mark.django_db
def test_what_can_wait_waits_for_the_daily_e_mail_and_safety_does_not():
    enqueue(**ANSWERED)
    enqueue("new_sign_in", context={})
    outbox.send_due()

    assert [m.subject for m in mail.outbox] == [str(KINDS["new_sign_in"].subject)]
    assert Notice.objects.get(kind="question_answered").due_at > timezone.now()


@pytest.mark.django_db
def test_several_of_a_day_are_one_e_mail_and_each_is_said_once():
    for _ in range(2):
        enqueue(**ANSWERED)
    enqueue("helper_stopped", context={"helper": "Marker"})
    enqueue(**ANSWERED, recipient=MALLORY, email="mallory@demo.example")
    make_all_due()

    assert outbox.send_due() == 2
    assert sorted(m.to[0] for m in mail.outbox) == ["alice@demo.example", "mallory@demo.example"]
    body = next(m for m in mail.outbox if m.to == ["alice@demo.example"]).body
    assert body.count(str(KINDS["question_answered"].body)) == 1
    assert str(KINDS["helper_stopped"].body) in body
    assert "Marker" not in body
    make_all_due()
    assert outbox.send_due() == 0


@pytest.mark.django_db
def test_one_of_a_day_is_the_usual_e_mail():
    enqueue(**ANSWERED)
    make_all_due()
    outbox.send_due()

    assert mail.outbox[0].subject == str(KINDS["question_answered"].subject)


@pytest.mark.django_db
def test_an_e_mail_of_the_day_that_cannot_go_is_tried_again_whole(settings):
    enqueue(**ANSWERED)
    enqueue("helper_stopped", context={"helper": "Cy"})
    make_all_due()
    settings.EMAIL_BACKEND = "no.such.Backend"
    assert outbox.send_due() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    make_all_due()

    assert outbox.send_due() == 1
    assert not Notice.objects.filter(sent_at=None).exists()


@pytest.mark.django_db
def test_a_person_chooses_for_each_topic():
    commands.prefer(ALICE, {Topic.ANSWERS: Delivery.NOW, Topic.FILES: Delivery.PORTAL})
    at_once, silent, other = (
        enqueue(**ANSWERED),
        enqueue("export_ready", context={}),
        enqueue(**ANSWERED, recipient=MALLORY),
    )

    assert not at_once.is_daily
    assert at_once.due_at <= timezone.now() + timedelta(seconds=1)
    assert silent.email == ""
    assert other.is_daily


@pytest.mark.django_db
def test_safety_cannot_be_chosen_away():
    with pytest.raises(ValueError, match="at once"):
        commands.prefer(ALICE, {Topic.SAFETY: Delivery.PORTAL})

    assert Topic.SAFETY not in DEFAULTS
    assert enqueue("new_sign_in", context={}).email
