"""Finding in one's own records, and what never tells what was looked for."""

import pytest

from audit.models import AuditEvent
from portal.searching import Hit, matching, words_of
from tests import factories
from tests.portal.ehr import ALL, failing


def find(client, words, **more):
    return client.post("/search/", {"words": words}, **more)


@pytest.mark.parametrize(
    ("words", "link"),
    [
        ("ldl", "/results/alice-ldl-7/"),
        ("CHOLEST", "/results/"),
        ("blood press", "/results/alice-bp-"),
        ("metformin", "/medicines/"),
        ("flu", "/vaccines/"),
        ("osei", "/care-team/"),
        ("harbor", "/insurance/"),
    ],
)
def test_what_is_in_the_record_is_found_by_the_words_of_its_page(alice, client, words, link):
    page = find(client, words).text

    assert f'href="{link}' in page


def test_every_word_must_be_there_in_any_order(alice, client):
    assert "Nothing found" in find(client, "metformin zebra").text
    assert find(client, "cholesterol LDL").text.count("/results/alice-ldl-7/") == 1


def test_accents_and_case_make_no_difference():
    hits = [Hit("Médecin Óscar", "Visits", "/visits/")]

    assert matching(hits, words_of("oscar MEDECIN")) == hits
    assert matching(hits, words_of("scar")) == []
    assert matching(hits, words_of("...")) == []


def test_nothing_found_says_so_and_leads_on(alice, client):
    page = find(client, "xyzzy").text

    assert "Nothing found" in page
    assert 'href="/medicines/"' in page


def test_an_empty_question_says_what_to_do(alice, client):
    response = find(client, " ")

    assert response.status_code == 422
    assert "Enter a word to look for." in response.text


def test_what_was_looked_for_stands_in_no_address_and_no_event(alice, client):
    response = find(client, "metformin")

    assert "metformin" not in response.request["PATH_INFO"] + response.request["QUERY_STRING"]
    said = [str(vars(event)).casefold() for event in AuditEvent.objects.all()]
    assert said
    assert not any("metformin" in event for event in said)


def test_another_patients_things_are_not_found(alice, client):
    stranger = factories.create_patient("Mallory Quinn")
    factories.load_records(factories.patient_record(stranger))
    client.force_login(stranger.user)

    assert "Nothing found" in find(client, "metformin").text


def test_a_part_that_is_missing_is_named(alice, client, settings):
    with failing(settings, "MedicationRequest"):
        page = find(client, "ldl").text

    assert "Some parts of this page did not load" in page
    assert "/results/alice-ldl-7/" in page


def test_no_answer_is_not_nothing_found(alice, client, settings):
    with failing(settings, *ALL):
        response = find(client, "ldl")

    assert response.status_code == 503
    assert "Nothing found" not in response.text
    assert "We could not show your records" in response.text
