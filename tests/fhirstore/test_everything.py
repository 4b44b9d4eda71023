"""Patient/$everything, and the CapabilityStatement."""

import pytest

from fhirstore.definitions import PARAMETERS
from tests.fhirstore.calls import call, encounter, get, observation, patient, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def records() -> None:
    put({"resourceType": "Organization", "id": "clinic", "name": "Riverside"})
    put(patient("alice", managingOrganization={"reference": "Organization/clinic"}))
    put(patient("bob"))
    for number in range(5):
        put(observation(f"o{number}", effectiveDateTime=f"2026-05-0{number + 1}"))
    put(observation("bobs", subject={"reference": "Patient/bob"}))
    put(
        observation(
            "by-alice", subject={"reference": "Patient/bob"}, performer=[{"reference": "Patient/alice"}]
        )
    )
    put({"resourceType": "Practitioner", "id": "osei"})
    put(encounter("visit", participant=[{"individual": {"reference": "Practitioner/osei"}}]))


def test_everything_is_the_compartment_and_what_it_leans_on(records):
    result = get("Patient/alice/$everything")

    assert result.ids[0] == "alice"
    assert sorted(result.ids) == ["alice", "by-alice", "o0", "o1", "o2", "o3", "o4", "visit"]
    assert result.included == {"Practitioner/osei"}


def test_everything_goes_on_page_by_page(records):
    seen, url = [], "Patient/alice/$everything?_count=3"
    while url:
        page = get(url)
        seen += page.ids
        url = page.next
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("_type=Encounter", "alice visit"),
        ("start=2026-05-04&_type=Observation", "alice o3 o4"),
        ("end=2026-05-02&_type=Observation", "alice by-alice o0 o1"),
        ("_since=2999", "alice"),
    ],
)
def test_everything_can_be_narrowed(records, query, ids):
    assert sorted(get(f"Patient/alice/$everything?{query}").ids) == ids.split()


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("Patient/nobody/$everything", 404),
        ("Patient/alice/$everything?_count=x", 400),
        ("Patient/alice/$everything?_type=Unicorn", 400),
        ("Patient/alice/$everything?start=soon", 400),
        ("Patient/alice/$everything?nonsense=1", 400),
        ("Observation/o1/$everything", 404),
    ],
)
def test_everything_refuses(records, url, status):
    assert get(url).status == status


def test_everything_of_a_deleted_patient_is_gone(records):
    call("DELETE", "Patient/alice")
    assert get("Patient/alice/$everything").status == 410


def test_everything_costs_three_statements(records, django_assert_num_queries):
    with django_assert_num_queries(3):
        get("Patient/alice/$everything")


def test_the_capability_statement_says_what_the_server_does():
    statement = get("metadata").json
    described = {each["type"]: each for each in statement["rest"][0]["resource"]}

    assert statement["fhirVersion"] == "4.0.1"
    assert described.keys() == PARAMETERS.keys()
    for kind in ("Patient", "Observation", "Provenance", "Claim"):
        for parameter in described[kind]["searchParam"]:
            assert get(f"{kind}?{parameter['name']}=1").status in {200, 400}
            assert "no search parameter" not in get(f"{kind}?{parameter['name']}=1").body.decode()
        for include in described[kind].get("searchInclude", []):
            assert get(f"{kind}?_include={include}").status == 200
        for include in described[kind].get("searchRevInclude", []):
            assert get(f"{kind}?_revinclude={include}").status == 200
