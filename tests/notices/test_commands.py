"""Notices are written with what they tell, or not at all."""

import pytest
from django.db import transaction

from notices import commands
from notices.models import Notice

ALICE, MALLORY = "User/a11ce", "User/ma110"


def enqueue(kind="app_connected", context=None, **changes):
    values = {
        "recipient": ALICE,
        "email": "alice@demo.example",
        "language": "en",
        "context": {"app": "GlucoTrack"} if context is None else context,
    }
    return commands.enqueue(kind, **(values | changes))


@pytest.mark.django_db
def test_enqueue_writes_one_notice_that_is_due():
    notice = enqueue()

    assert Notice.objects.get() == notice
    assert (notice.kind, notice.recipient, notice.sent_at, notice.attempts) == (
        "app_connected",
        ALICE,
        None,
        0,
    )


@pytest.mark.django_db
def test_a_transaction_that_fails_leaves_no_notice():
    with transaction.atomic():
        enqueue()
        transaction.set_rollback(True)

    assert not Notice.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("context", [{}, {"app": "GlucoTrack", "result": "HbA1c 9.1"}])
def test_a_notice_takes_exactly_the_names_of_its_kind(context):
    with pytest.raises(ValueError, match="takes"):
        enqueue(context=context)


@pytest.mark.django_db
def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        enqueue("birthday")


@pytest.mark.django_db
def test_mark_read_keeps_the_first_time():
    notice = enqueue()

    assert commands.mark_read(notice, by=ALICE)
    first = Notice.objects.get().read_at
    assert commands.mark_read(notice, by=ALICE)

    assert first is not None
    assert Notice.objects.get().read_at == first


@pytest.mark.django_db
def test_nobody_marks_the_notice_of_another():
    assert not commands.mark_read(enqueue(), by=MALLORY)

    assert Notice.objects.get().read_at is None
