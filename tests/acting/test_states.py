"""The life of a relationship: one table, total, and its picture."""

from pathlib import Path

import pytest

from accounts import relation_states, relations
from accounts.relation_states import HELPING, LIVING, STARTS, TRANSITIONS, S, Why
from accounts.relations import Refused
from audit import phrases
from portal import helper_words
from tests import factories

DOCS = Path(__file__).resolve().parents[2] / "docs" / "helpers.md"
OVER = {S.DENIED, S.ENDED, S.EXPIRED, S.REVOKED}


def test_the_table_is_total():
    assert set(TRANSITIONS) == set(S)
    assert {s for s, following in TRANSITIONS.items() if not following} == OVER
    assert set(S) - OVER == LIVING
    assert HELPING < LIVING
    used = set(STARTS) | {why for following in TRANSITIONS.values() for why in following}
    assert used == set(Why)


def test_every_reason_has_words_and_an_event():
    assert set(helper_words.STEPS) == set(Why)
    assert set(helper_words.CHIPS) == set(S)
    assert {relations.EVENTS.get(why, "helper:end") for why in Why} <= set(phrases.PHRASES)


@pytest.mark.django_db
@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("state", list(S))
def test_only_what_the_table_names_can_happen(state, why):
    user = factories.create_user("Amir Moreno")
    relation = factories.helps(user, factories.create_patient("Alice Moreno"), "SPS", status=state)
    expected = TRANSITIONS[state].get(why)
    if expected is None:
        with pytest.raises(Refused):
            relations.become(relation, why, by=user, role="helper")
        expected = state
    else:
        relations.become(relation, why, by=user, role="helper")
    relation.refresh_from_db()

    assert relation.status == expected
    assert relation.changes.count() == int(why in TRANSITIONS[state])


def test_the_picture_in_the_docs_is_the_table():
    """To renew it, put what this prints into docs/helpers.md."""
    assert relation_states.diagram() in DOCS.read_text(), relation_states.diagram()
