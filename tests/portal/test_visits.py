"""A visit has its reason, its people, its notes and its tests; one to come says how to get ready."""

import pytest

from portal import visits
from portal.combining import Item, Origin, Shown
from tests import factories


def of(resource, slug="riverside"):
    return Shown(Item(resource, Origin(slug, "", slug == "riverside")))


def test_a_visit_that_was_has_what_was_written_then(alice, client):
    factories.load_records(
        {
            "resourceType": "DocumentReference",
            "id": "of-that-day",
            "status": "current",
            "subject": {"reference": f"Patient/{factories.fhir_id(alice.patient)}"},
            "type": {"text": "Progress note"},
            "content": [
                {"attachment": {"contentType": "text/plain", "data": "SGk=", "title": "How it went"}}
            ],
            "context": {"encounter": [{"reference": "Encounter/alice-visit-1"}]},
        }
    )

    page = client.get("/visits/alice-visit-1/").text

    assert "Who you saw" in page
    assert "How it went" in page
    assert 'href="/documents/of-that-day/"' in page


def test_lists_and_home_lead_to_the_visit(alice, client):
    assert 'href="/visits/alice-visit-1/"' in client.get("/visits/").text
    assert 'href="/visits/coming/' in client.get("/visits/").text


def test_a_visit_to_come_says_how_to_get_ready(alice, client):
    page = client.get("/visits/").text
    address = page.split('href="/visits/coming/', 1)[1].split('"')[0]

    ready = client.get(f"/visits/coming/{address}").text

    assert "Get ready" in ready
    assert "A list of your medicines" in ready


def test_what_belongs_to_a_visit_is_of_the_same_ehr_and_names_it():
    belonging = visits.Belonging.to(Item({"id": "v1"}, Origin("riverside", "", True)))
    mine = of({"encounter": {"reference": "Encounter/v1"}})
    note = of({"context": {"encounter": [{"reference": "Encounter/v1"}]}})
    other = of({"encounter": {"reference": "Encounter/v11"}})
    elsewhere = of({"encounter": {"reference": "Encounter/v1"}}, "lakeside")
    odd = [of({"encounter": "Encounter/v1"}), of({"context": [1]}), of({})]

    assert belonging.of([mine, note, other, elsewhere, *odd]) == [mine, note]


@pytest.mark.parametrize("resource", [{}, {"participant": 3, "reasonCode": "x", "location": [None]}, 7])
def test_what_a_visit_does_not_say_is_left_out(resource):
    assert visits.about_visit(resource, "") == []
    assert visits.about_appointment(resource, "") == []
    assert visits.instructions(resource) == []
