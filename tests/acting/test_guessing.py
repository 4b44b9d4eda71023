"""A22: codes that are guessed by many requests at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from accounts import relations, support
from accounts.models import CodeAttempt
from tests import factories

MANY = 8
WRONG = "BCDFG-HJKLM"


def at_once(guess):
    """Each guess in a thread of its own, all let go together; how many were looked at."""
    start = Barrier(MANY)

    def one(_):
        try:
            start.wait(timeout=30)
            guess()
        except (relations.Refused, support.Refused) as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as pool:
        return [code for code in pool.map(one, range(MANY)) if code.endswith(".code")]


@pytest.mark.django_db(transaction=True)
def test_A22_guesses_in_parallel_are_as_few_as_one_after_the_other():
    mallory = factories.create_user("Mallory Quinn")

    looked_at = at_once(lambda: relations.find_invitation(WRONG, by=mallory))

    assert len(looked_at) == relations.MOST_ATTEMPTS
    assert CodeAttempt.objects.filter(user=mallory).count() == relations.MOST_ATTEMPTS


@pytest.mark.django_db(transaction=True)
def test_A22_so_are_those_of_support(monkeypatch):
    monkeypatch.setattr(support, "MOST_ATTEMPTS", 3)
    sam = factories.create_staff("Sam Park", "support")

    assert len(at_once(lambda: support.find(WRONG, by=sam))) == 3
