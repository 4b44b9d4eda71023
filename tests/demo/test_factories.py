"""The standing cast is what it says it is."""

import pytest

from consent.vocabulary import Category
from demo import store
from demo.people import PASSWORD
from fhirproxy.treating import treats
from tests import factories

pytestmark = pytest.mark.django_db


def test_cast_can_be_made_twice_in_one_test():
    assert factories.alice() != factories.alice()
    assert factories.acme_client() != factories.acme_client()


def test_alice_signs_in_and_has_a_result_in_the_store():
    alice = factories.alice()

    assert alice.user.check_password(PASSWORD)
    found = store.search("Observation", ("patient", factories.fhir_id(alice)), ("category", "laboratory"))
    assert [r["valueQuantity"]["value"] for r in found] == [118]


def test_amir_helps_and_tom_is_a_child_without_a_log_in():
    tom = factories.tom()
    amir = factories.amir(of=tom)

    assert [(h.user, h.status) for h in tom.helpers.all()] == [(amir, "confirmed")]
    assert tom.user is None


def test_dr_osei_treats_only_whom_she_is_said_to_treat():
    alice, mallory = factories.alice(), factories.mallory()
    osei = factories.dr_osei(treats=[alice])

    assert treats(osei, alice)
    assert not treats(osei, mallory)


def test_consent_is_granted_by_the_real_command():
    alice = factories.alice()
    consent = factories.create_consent(alice, categories=[Category.TEST_RESULTS])

    assert (consent.status, consent.current.number, consent.patient) == ("active", 1, alice)
    assert '"Consent"' in consent.current.fhir
