"""What is due goes out by e-mail: once, in the reader's language, whatever else is broken."""

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone, translation

from notices import outbox, tasks
from notices.kinds import KINDS
from notices.models import Notice
from tests.notices.test_commands import enqueue

NOTHING_LISTENS = {
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "EMAIL_HOST": "127.0.0.1",
    "EMAIL_PORT": 1,
}


def make_all_due():
    Notice.objects.update(due_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db
def test_a_due_notice_is_sent_once():
    notice = enqueue("export_ready", context={})

    tasks.send_due()
    make_all_due()
    tasks.send_due()

    (message,) = mail.outbox
    assert message.to == ["alice@demo.example"]
    assert message.subject == "Your file is ready"
    assert "http://testserver/downloads/" in message.body
    assert message.extra_headers["Message-ID"] == f"<{notice.id}@testserver>"
    assert Notice.objects.get().sent_at is not None


@pytest.mark.django_db
def test_a_notice_speaks_the_language_of_its_reader():
    enqueue("export_ready", context={}, language="es")

    outbox.send_due()

    assert mail.outbox[0].subject == "Su archivo está listo"
    assert "Vea más: http://testserver/downloads/" in mail.outbox[0].body


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_an_e_mail_names_no_app_and_no_person(kind):
    notice = enqueue(kind, context=dict.fromkeys(KINDS[kind].names, "Marker"))

    message = outbox.message(notice)

    assert "Marker" not in message.subject + message.body
    assert "%(" not in message.subject + message.body
    assert "%(" not in outbox.line(notice)


@pytest.mark.django_db
def test_the_portal_line_names_the_app():
    notice = enqueue()

    with translation.override("es"):
        assert outbox.line(notice) == "GlucoTrack ya puede ver parte de su historial."
    assert outbox.line(notice) == "GlucoTrack can now see some of your records."


@pytest.mark.django_db
def test_what_is_not_due_or_has_no_address_stays():
    enqueue()
    Notice.objects.update(due_at=timezone.now() + timedelta(hours=1))
    enqueue(email="")

    assert outbox.send_due() == 0
    assert mail.outbox == []


@pytest.mark.django_db
def test_one_bad_notice_holds_up_no_other():
    Notice.objects.create(kind="no-such-kind", recipient="User/x", email="x@demo.example")
    enqueue()

    assert outbox.send_due() == 1
    assert len(mail.outbox) == 1
    assert Notice.objects.get(kind="no-such-kind").sent_at is None


@pytest.mark.django_db
def test_a_failed_send_waits_longer_each_time(settings):
    for name, value in NOTHING_LISTENS.items():
        setattr(settings, name, value)
    enqueue()
    pauses = []

    for _ in range(3):
        make_all_due()
        assert outbox.send_due() == 0
        pauses.append(Notice.objects.get().due_at - timezone.now())

    assert [round(pause / outbox.FIRST_PAUSE) for pause in pauses] == [1, 2, 4]


@pytest.mark.django_db
def test_a_notice_that_never_goes_out_is_given_up():
    enqueue()
    Notice.objects.update(attempts=outbox.MOST_ATTEMPTS)

    assert outbox.send_due() == 0
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_each_notice_once():
    for _ in range(20):
        enqueue()
    counts = []

    def work():
        counts.append(outbox.send_due())
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(counts) == len(mail.outbox) == 20
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 20


@pytest.mark.django_db(transaction=True)
def test_a_worker_passes_by_a_notice_that_another_holds():
    held, free = enqueue(), enqueue(recipient="User/amir")

    taken = []

    def work():
        notice = outbox.take_next()
        taken.append(notice and notice.id)
        connection.close()

    with transaction.atomic():
        Notice.objects.select_for_update().get(id=held.id)
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()

    assert taken == [free.id]


@pytest.mark.django_db
def test_a_notice_of_a_worker_that_died_comes_due_again():
    enqueue()
    outbox.take_next()

    assert outbox.take_next() is None
    make_all_due()

    assert outbox.send_due() == 1
