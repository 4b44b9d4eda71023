"""Contact details are asked for with the record that holds them, and kept back without losing that record."""

import pytest

from consent.vocabulary import ELEMENTS_OF, Category
from portal.authorization import Answer, Question, granted_scopes
from smart.models import AuthorizationRequest


def question(scope: str) -> Question:
    return Question.of(AuthorizationRequest(parameters={"scope": scope}))


def test_an_app_that_asks_for_the_patient_asks_for_two_kinds_of_record():
    assert question("patient/Patient.rs").categories == (Category.DEMOGRAPHICS, Category.CONTACT)
    assert Category.CONTACT not in question("patient/Observation.rs").categories


@pytest.mark.parametrize("scope", ["patient/Patient.rs", "patient/*.rs"])
def test_a_scope_stays_whole_without_the_contact_details(scope):
    chosen = frozenset(Category) - frozenset(ELEMENTS_OF)

    assert granted_scopes(question(scope), Answer(categories=chosen)) == [scope]


def test_contact_details_alone_open_no_record():
    only = Answer(categories=frozenset({Category.CONTACT}))

    assert granted_scopes(question("patient/Patient.rs"), only) == []
