"""Two people, or two tabs, at the very same moment: one outcome, and the other is told."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts import activation
from accounts.models import ActivationCode, User
from accounts.relation_states import Why
from accounts.relations import Refused
from audit.models import AuditEvent
from consent import helper_requests, helping, leaving
from consent.versions import Act
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NEEDED = ["birth-record", "photo-id"]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each of them gave, or the error that it raised; all begin together, each on a connection."""
    start, given = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int) -> None:
        start.wait()
        try:
            given[place] = acts[place]()
        except Exception as error:
            given[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def errors(given):
    return [each for each in given if isinstance(each, Exception)]


def test_of_two_reviewers_of_one_request_the_second_is_told():
    asked = helper_requests.ask(
        factories.tom(),
        relationship="PRN",
        basis="parent",
        level="most",
        evidence=NEEDED,
        by=factories.create_user("Alice Moreno"),
    )
    cora, ada = factories.create_staff("Cora", "compliance"), factories.create_staff("Ada", "administrator")

    def decide(why, by):
        return lambda: helper_requests.decide(
            asked, why, by=by, note="seen", evidence=NEEDED, seen=asked.version
        )

    (error,) = errors(at_once(decide(Why.EVIDENCE_SEEN, cora), decide(Why.EVIDENCE_REFUSED, ada)))

    asked.refresh_from_db()
    assert (type(error), str(error)) == (Refused, "helper.changed")
    assert asked.version == 2
    assert (asked.status == "confirmed") == asked.patient.consents.filter(status="active").exists()


def test_one_activation_code_used_twice_at_once_makes_one_account():
    patient = factories.create_patient("Tom Moreno", signs_in=False)
    activation.issue(patient, by=None)
    row = ActivationCode.objects.get(patient=patient)

    def use(email):
        return lambda: activation.use(row, email=email, password_hash="!", language="en")

    given = at_once(use("one@demo.example"), use("two@demo.example"))

    (error,) = errors(given)
    assert isinstance(error, activation.NotRight)
    patient.refresh_from_db()
    assert User.objects.filter(email__in=["one@demo.example", "two@demo.example"]).get() == patient.user
    assert AuditEvent.objects.filter(type="activation:use").count() == 1


def test_of_two_codes_made_at_once_one_is_open():
    patient = factories.create_patient("Tom Moreno", signs_in=False)

    at_once(lambda: activation.issue(patient, by=None), lambda: activation.issue(patient, by=None))

    assert patient.activation_codes.filter(used_at=None, cancelled_at=None).count() == 1


def test_of_two_tabs_that_change_the_same_helper_at_once_the_second_is_told():
    alice = factories.alice()
    relation = factories.let_help(factories.create_user("Amir Moreno"), alice)
    until, act = timezone.now() + timedelta(days=30), Act(by=alice.user, channel="portal")

    def change(level):
        return lambda: helping.change(
            relation,
            level=level,
            categories=[],
            may_share=False,
            may_write=False,
            until=until,
            act=act,
            seen=relation.version,
        )

    (error,) = errors(at_once(change("visits"), change("daily")))

    before = relation.version
    relation.refresh_from_db()
    assert str(error) == "helper.changed"
    assert relation.version == before + 1


def test_undoing_and_closing_at_once_end_in_one_of_the_two():
    user = factories.alice().user
    User.objects.filter(pk=user.pk).update(closes_at=timezone.now())
    act = Act(by=user, channel=leaving.CHANNEL)

    given = at_once(lambda: leaving.stay(user, act=act, session_key=None), leaving.close_due)

    user.refresh_from_db()
    assert errors(given) == []
    assert user.is_active is given[0]
    assert given[1] == (0 if user.is_active else 1)
