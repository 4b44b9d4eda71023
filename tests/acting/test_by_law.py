"""What the law gave a parent is not a teen's to end, change or pause, by whatever way; what they chose is."""

import json
from dataclasses import replace

import pytest
from django.test import Client

from consent import ages, authority, commands, jurisdictions
from consent.versions import Act
from tests import factories
from tests.acting.test_ages import birthday, child, parent_of
from tests.fhirproxy.consents import ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def teen():
    return child("US-MI", birthday("US-MI", 14), signs_in=True)


@pytest.fixture
def own(teen) -> Client:
    page = Client()
    page.force_login(teen.user)
    return page


def sees(relation) -> bool:
    return authority.for_helper(relation.user, relation.patient).missing is None


def test_A13_a_teen_does_not_end_or_change_it_through_FHIR(teen, own):
    relation = parent_of(teen)
    consent = relation.consents.get()
    read = ask("GET", f"/{consent.pk}", browser=own)
    ended = read.json() | {"status": "inactive"}
    narrower = json.loads(read.content)
    narrower["provision"]["provision"][0]["code"] = narrower["provision"]["provision"][0]["code"][:1]

    for resource in (ended, narrower):
        answer = ask("PUT", f"/{consent.pk}", resource, browser=own, **{"If-Match": read["ETag"]})
        assert answer.status_code == 422, answer.content
    assert sees(relation)
    consent.refresh_from_db()
    assert consent.current_number == 1


def test_a_teen_pauses_what_they_share_and_not_the_parent(teen, own):
    parent = parent_of(teen)
    friend = factories.let_help(factories.create_user("Rosa Bennett"), teen, "FRND", level="visits")

    answer = own.post("/sharing/pause/", follow=True)

    assert sees(parent)
    assert not sees(friend)
    assert "Who cares for you by law still sees your records." in answer.text


def test_where_the_law_lets_them_a_teen_pauses_the_parent_too(teen, monkeypatch):
    parent = parent_of(teen)
    law = replace(ages.law_of(teen), teen_pauses=True)
    monkeypatch.setattr(ages, "law_of", lambda patient: law)

    commands.pause_all(teen, act=Act(by=teen.user, channel="portal"))

    assert not sees(parent)


def test_no_law_of_the_table_lets_them_yet():
    assert not [law.code for law in jurisdictions.table().values() if law.teen_pauses]


def test_a_grown_patient_pauses_everybody():
    alice = factories.alice()
    helper = factories.let_help(factories.create_user("Amir Moreno"), alice)

    commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))

    assert not sees(helper)
