"""A reference that leads nowhere breaks no answer: who asks gets the rest."""

import pytest

from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "odd", ["", ",", "a,b", "a b", "x" * 5000, "?name=a", "a|b", "é", "$everything", ".."]
)
def test_an_include_of_an_odd_reference_leaves_the_rest(get, odd):
    patient = factories.create_patient("Alice Moreno")
    token = issue(factories.create_consent(patient))
    result = {**factories.lab_result(patient), "performer": [{"reference": f"Practitioner/{odd}"}]}
    records.keep([result])

    answer = get(token, "Observation?category=laboratory&_include=Observation:performer")

    assert answer.status_code == 200
    assert [e["resource"]["id"] for e in answer.json()["entry"]] == [result["id"]]


def test_A9_somebody_who_is_named_by_an_identifier_only_may_be_another_patient(get):
    patient = factories.create_patient("Alice Moreno")
    token = issue(factories.create_consent(patient))
    other = {"type": "Patient", "identifier": {"value": "7"}, "display": "Somebody Else"}
    result = {**factories.lab_result(patient), "performer": [other]}
    records.keep([result])

    answer = get(token, "Observation?category=laboratory")

    assert answer.status_code == 200
    assert b"Somebody Else" not in answer.content
    assert answer.json().get("entry", []) == []
