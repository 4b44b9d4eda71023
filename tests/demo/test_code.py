"""The demo's staff can prove who they are by a code, so that an emergency can be shown."""

from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command

from demo import people
from tests import factories

pytestmark = pytest.mark.django_db
FORM = {"name": "Alice Moreno", "born": "1979-04-17", "why": "life", "text": "A car crash.", "agreed": "on"}


def code_of(email):
    printed = StringIO()
    call_command("demo_code", email, stdout=printed)
    return printed.getvalue().split()[0]


def test_a_code_of_the_demo_opens_a_record_in_an_emergency(client):
    cache.clear()
    factories.alice()
    people.make_staff()
    client.force_login(people.User.objects.get(email="dr.osei@demo.example"))
    asked = client.post("/review/emergency/", FORM)

    done = client.post(asked.url, {"code": code_of("dr.osei@demo.example")})

    assert done.url.startswith("/review/chart/")


def test_nobody_but_the_demos_staff_gets_one():
    with pytest.raises(CommandError):
        code_of("alice@demo.example")
