"""`:of-type`, `:identifier` and conditional delete; and `:contains`, which something else must narrow."""

import pytest

from tests.fhirstore.calls import bundle, call, entry, get, observation, patient, post, put

pytestmark = pytest.mark.django_db

MR = {"coding": [{"system": "urn:v2-0203", "code": "MR"}]}
SSN = {"coding": [{"system": "urn:v2-0203", "code": "SS"}]}


@pytest.mark.parametrize(("value", "ids"), [
    ("urn:v2-0203|MR|7", ["alice"]), ("urn:v2-0203|SS|7", ["mallory"]), ("urn:v2-0203|MR|8", []),
    ("urn:v2-0203|MR|7,urn:v2-0203|SS|7", ["alice", "mallory"]),
])  # fmt: skip
def test_an_identifier_is_found_by_its_type_and_value(value, ids):
    put(patient(identifier=[{"type": MR, "system": "urn:a", "value": "7"}]))
    put(patient("mallory", identifier=[{"type": SSN, "value": "7"}, {"type": MR, "value": "9"}]))

    assert get(f"Patient?identifier:of-type={value}").ids == ids


@pytest.mark.parametrize(
    "query", ["identifier:of-type=MR|7", "identifier:of-type=a||7", "gender:of-type=a|b|c"]
)
def test_of_type_without_its_three_parts_or_of_no_identifier_is_refused(query):
    assert get(f"Patient?{query}").status == 400


@pytest.mark.parametrize(
    ("value", "ids"), [("urn:mrn|7", ["lab"]), ("7", ["lab"]), ("urn:mrn|8", []), ("|7", [])]
)
def test_a_reference_is_found_by_the_identifier_in_it(value, ids):
    put(observation("lab", subject={"identifier": {"system": "urn:mrn", "value": "7"}}))
    put(observation("other"))

    assert get(f"Observation?subject:identifier={value}").ids == ids


def test_contains_is_answered_where_another_parameter_narrows_it():
    put(observation("lab", valueString="long words"))

    assert get("Observation?patient=alice&value-string:contains=word").ids == ["lab"]
    assert get("Observation?code=2093-3&value-string:contains=word").ids == ["lab"]
    assert get("Patient/alice/Observation?value-string:contains=word").ids == ["lab"]


@pytest.mark.parametrize("url", [
    "Observation?value-string:contains=word", "Observation?value-string:contains=word&status:not=final",
    "Observation?value-string:contains=word&code:missing=false", "Observation?patient.family:contains=o",
    "Patient?_has:Observation:patient:value-string:contains=word",
])  # fmt: skip
def test_contains_alone_is_refused_and_the_cure_is_said(url):
    result = get(url)

    assert (result.status, result.json["issue"][0]["code"]) == (400, "too-costly")
    assert "add a parameter that narrows it" in result.diagnostics


def test_a_conditional_delete_deletes_the_one_that_fits_and_no_other():
    put(patient(identifier=[{"value": "7"}]))
    put(patient("mallory"))

    assert call("DELETE", "Patient?identifier=7").status == 204
    assert call("DELETE", "Patient?identifier=7").status == 204
    assert (get("Patient/alice").status, get("Patient/mallory").status) == (410, 200)


@pytest.mark.parametrize(("query", "status"), [("family=Moreno", 412), ("", 400), ("nonsense=1", 400)])
def test_a_conditional_delete_of_several_or_of_all_is_refused(query, status):
    put(patient())
    put(patient("mallory"))

    assert call("DELETE", f"Patient?{query}").status == status
    assert len(get("Patient").ids) == 2


def test_a_transaction_deletes_by_criteria_too():
    put(patient(identifier=[{"value": "7"}]))

    gone, absent = (entry("DELETE", f"Patient?identifier={value}") for value in ("7", "8"))
    result = post("", bundle("transaction", gone, absent))

    assert [each["response"]["status"] for each in result.json["entry"]] == ["204 No Content"] * 2
    assert get("Patient/alice").status == 410


@pytest.mark.parametrize(("value", "ids"), [
    ("urn:q", ["a"]), ("urn:q|1", ["a"]), ("urn:q|2", []), ("urn:q|", []), ("urn", []),
])  # fmt: skip
def test_a_canonical_is_found_with_its_version_and_without(value, ids):
    put(
        {
            "resourceType": "QuestionnaireResponse",
            "id": "a",
            "status": "completed",
            "questionnaire": "urn:q|1",
        }
    )

    assert get(f"QuestionnaireResponse?questionnaire={value}").ids == ids
