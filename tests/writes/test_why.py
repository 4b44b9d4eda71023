"""Why a change is there, in words, and what stands in a command."""

import pytest
from django.db import DatabaseError, transaction

from fhirproxy.models import WriteCommand, WriteEvent
from fhirproxy.writes import why
from tests.writes.conftest import answers, command_of

pytestmark = pytest.mark.django_db


def test_an_apps_reading_says_who_from_what_and_who_looks(app, reading):
    first, *rest = why.sentences(command_of(app.post(reading())))

    assert first.startswith("Acme sent this for Alice Moreno on ")
    assert rest == ["It was measured.", "A clinician checks it first."]


def test_a_form_goes_as_it_is(app, alice):
    assert why.sentences(command_of(app.post(answers(alice))))[1:] == [
        "It was told from memory.",
        "It goes to the clinic system as it is.",
    ]


@pytest.mark.parametrize(
    ("elements", "origin"),
    [
        ({}, "measured"),
        ({"device": {"display": "Cuff"}}, "device"),
        ({"derivedFrom": [{"display": "Steps"}], "device": {"display": "Watch"}}, "software"),
    ],
)
def test_where_a_fact_comes_from_is_read_off_the_resource(app, reading, elements, origin):
    assert command_of(app.post(reading(**elements))).origin == origin


def test_every_origin_has_its_words():
    assert set(why.SAYS) == set(WriteCommand.Origin)


@pytest.mark.parametrize("act", ["update", "delete"])
def test_history_only_grows(app, reading, act):
    app.post(reading())
    events = WriteEvent.objects.all()

    with pytest.raises(DatabaseError), transaction.atomic():
        events.update(reason="x") if act == "update" else events.delete()
