"""Drafts: kept under encryption, for one person and one record, until they are sent, thrown away or old."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import User
from portal import drafts
from portal.models import Draft
from portal.tasks import sweep_drafts
from portal.todo import FORMS
from tests import factories

pytestmark = pytest.mark.django_db
SHARE = Draft.Form.SHARE
ANSWERS = {"categories": ["notes"], "topics": ["mental-health"]}


@pytest.fixture
def alice() -> User:
    return factories.alice().user


def start(user: User, **answers: object) -> Draft:
    return drafts.start(owner=user, patient=user.patient, form=SHARE, answers=answers or ANSWERS)


def test_answers_come_back_and_cannot_be_read_in_the_table(alice):
    draft = start(alice)
    row = Draft.objects.values_list("sealed", flat=True).get()

    assert drafts.answers_of(draft) == ANSWERS
    assert "mental" not in row
    assert "notes" not in row


def test_saving_adds_to_the_answers_and_counts(alice):
    draft = start(alice)
    Draft.objects.update(expires_at=timezone.now() + timedelta(days=1))
    draft = drafts.save(draft, {"topics": None, "days": "30"})

    assert drafts.answers_of(draft) == {"categories": ["notes"], "days": "30"}
    assert draft.version == 2
    assert draft.expires_at > timezone.now() + timedelta(days=29)


def test_a_draft_is_of_one_person_and_one_record(alice):
    start(alice)
    amir, mallory = factories.amir(alice.patient), factories.mallory()

    assert drafts.unfinished(alice, alice.patient).count() == 1
    assert not drafts.unfinished(amir, alice.patient).exists()
    assert not drafts.unfinished(alice, mallory).exists()


def test_a_finished_draft_keeps_what_came_of_it_and_no_answer(alice):
    draft = start(alice)
    drafts.finish(draft, "Consent/1")
    late = drafts.save(draft, {"days": "365"})
    drafts.discard(draft)

    assert drafts.answers_of(late) == {}
    assert Draft.objects.get().outcome == "Consent/1"
    assert not drafts.unfinished(alice, alice.patient).exists()


def test_the_database_refuses_answers_in_a_finished_draft(alice):
    start(alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.update(outcome="Consent/1")


def test_what_was_thrown_away_is_not_saved_again(alice):
    draft = start(alice)
    drafts.discard(draft)

    assert not Draft.objects.exists()
    with pytest.raises(Http404):
        drafts.save(draft, {"days": "30"})


def test_a_key_that_was_changed_leaves_no_answer(alice, settings):
    draft = start(alice)
    settings.FIELD_KEY = b"another key, as long as it has to be"

    assert drafts.answers_of(draft) == {}


def test_what_ran_out_is_not_found_and_is_swept(alice):
    old, new = start(alice), start(alice)
    Draft.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    found = list(drafts.unfinished(alice, alice.patient))
    sweep_drafts()

    assert found == [new]
    assert list(Draft.objects.all()) == [new]


def test_drafts_of_a_closed_account_are_swept(alice):
    start(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert drafts.sweep() == 1


def test_the_oldest_makes_room(alice):
    first = start(alice)
    for _ in range(drafts.MOST):
        start(alice)

    assert Draft.objects.count() == drafts.MOST
    assert not Draft.objects.filter(pk=first.pk).exists()


def test_home_can_go_on_with_every_kind():
    assert set(FORMS) == set(Draft.Form)
