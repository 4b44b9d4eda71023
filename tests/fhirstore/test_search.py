"""Every kind of search parameter, on one small set of records, as a table."""

import pytest

from tests.fhirstore.calls import LOINC, UCUM, call, get, observation, patient, post, provenance, put

pytestmark = pytest.mark.django_db

CODES = {
    "chol": {"coding": [{"system": LOINC, "code": "2093-3"}]},
    "bp": {"coding": [{"system": LOINC, "code": "85354-9"}, {"system": "urn:local", "code": "bp"}]},
    "bare": {"coding": [{"code": "2093-3"}]},
}


@pytest.fixture(autouse=True)
def records() -> None:
    put(
        patient(
            "alice",
            name=[{"family": "Moreno-García", "given": ["Alice", "Zoë"]}, {"text": "Al Garcia"}],
            identifier=[{"system": "urn:mrn", "value": "A,1|x"}],
            birthDate="1980-05-17",
            deceasedBoolean=False,
            telecom=[{"system": "phone", "value": "555-0101"}, {"system": "email", "value": "a@x.example"}],
            address=[{"line": ["1 Main St"], "city": "Springfield"}],
        )
    )
    put(patient("bob", name=[{"family": "Moor", "given": ["Bob"]}], deceasedDateTime="2020-03", active=True))
    put({"resourceType": "Practitioner", "id": "osei", "name": [{"family": "Osei"}]})
    put(observation("chol", code=CODES["chol"], effectiveDateTime="2026-05-01T09:30:00Z"))
    put(
        observation(
            "bp", code=CODES["bp"], effectivePeriod={"start": "2026-05-02", "end": "2026-05-04"},
            category=[{"coding": [{"code": "vital-signs"}]}],
            valueQuantity={"value": 120.5, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
            performer=[{"reference": "Practitioner/osei"}],
            meta={"tag": [{"system": "urn:t", "code": "demo"}], "profile": ["http://example.org/bp"],
                  "security": [{"system": "urn:s", "code": "R"}]},
        )
    )  # fmt: skip
    bare = observation("bare", code=CODES["bare"], subject={"reference": "Patient/bob"}, status="preliminary")
    del bare["effectiveDateTime"], bare["valueQuantity"]
    put(bare | {"valueString": "Naïve  text", "subject": {"reference": "Patient/bob/_history/1"}})
    put(
        {
            "resourceType": "Condition", "id": "asthma",
            "subject": {"reference": "http://testserver/fhir/r4/Patient/alice"},
            "asserter": {"reference": "https://elsewhere.example/fhir/Practitioner/9"},
            "onsetDateTime": "2010", "recordedDate": "2026-01-31T23:30:00-05:00",
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        # token
        ("Observation?code=2093-3", "bare chol"),
        ("Observation?code=http://loinc.org|2093-3", "chol"),
        ("Observation?code=|2093-3", "bare"),
        ("Observation?code=http://loinc.org|", "bp chol"),
        ("Observation?code=urn:local|bp", "bp"),
        ("Observation?code=urn:local|85354-9", ""),
        ("Observation?code=85354-9,2093-3", "bare bp chol"),
        ("Observation?code=85354-9&code=bp", "bp"),
        ("Observation?code=85354-9&code=2093-3", ""),
        ("Observation?code:not=2093-3", "bp"),
        ("Observation?category:not=vital-signs&status=final", "chol"),
        ("Observation?status=preliminary", "bare"),
        ("Patient?active=true", "bob"),
        ("Patient?deceased=true", "bob"),
        ("Patient?deceased=false", "alice"),
        ("Patient?email=a@x.example", "alice"),
        ("Patient?phone=a@x.example", ""),
        ("Patient?telecom=phone|555-0101", "alice"),
        (r"Patient?identifier=urn:mrn|A\,1\|x", "alice"),
        ("Patient?identifier=urn:mrn|A,1|x", ""),
        # string
        ("Patient?family=moreno", "alice"),
        ("Patient?family=MORENO-GARCIA", "alice"),
        ("Patient?family=mo", "alice bob"),
        ("Patient?family=garc", ""),
        ("Patient?family:contains=garc&_id=alice,bob", "alice"),
        ("Patient?family:exact=Moor", "bob"),
        ("Patient?family:exact=moor", ""),
        ("Patient?name=zoe", "alice"),
        ("Patient?name=al garcia", "alice"),
        ("Patient?name=bob,zoe", "alice bob"),
        ("Patient?address=springfield", "alice"),
        ("Patient?family=%25", ""),
        ("Patient?family=mo_r", ""),
        ("Observation?value-string=naive text", "bare"),
        # reference
        ("Observation?patient=alice", "bp chol"),
        ("Observation?patient=Patient/alice", "bp chol"),
        ("Observation?patient=http://testserver/fhir/r4/Patient/alice", "bp chol"),
        ("Observation?patient=alice,bob", "bare bp chol"),
        ("Observation?subject=Patient/bob", "bare"),
        ("Observation?subject=bob", "bare"),
        ("Observation?subject:Patient=bob", "bare"),
        ("Observation?subject:Group=bob", ""),
        ("Observation?performer=Practitioner/osei", "bp"),
        ("Condition?patient=alice", "asthma"),
        ("Condition?asserter=https://elsewhere.example/fhir/Practitioner/9", "asthma"),
        ("Condition?asserter=Practitioner/9", ""),
        # date of the row itself
        ("Observation?date=2026-05-01", "chol"),
        ("Observation?date=2026-05", "bp chol"),
        ("Observation?date=2026-05-01T09:30:00Z", "chol"),
        ("Observation?date=2026-05-01T11:30:00%2B02:00", "chol"),
        ("Observation?date=2026-05-03", ""),
        ("Observation?date=ne2026-05-01", "bp"),
        ("Observation?date=gt2026-05-01", "bp"),
        ("Observation?date=ge2026-05-01", "bp chol"),
        ("Observation?date=gt2026-05-04", ""),
        ("Observation?date=lt2026-05-02", "chol"),
        ("Observation?date=lt2026-05-03", "bp chol"),
        ("Observation?date=le2026-05-01", "chol"),
        ("Observation?date=sa2026-05-01", "bp"),
        ("Observation?date=sa2026-05-02", ""),
        ("Observation?date=eb2026-05-02", "chol"),
        ("Observation?date=eb2026-05-04", "chol"),
        ("Observation?date=ge2026-05-01&date=lt2026-05-02", "chol"),
        ("Observation?date=2026-05-01,2026-05-02", "chol"),
        ("Patient?birthdate=1980-05-17", "alice"),
        ("Patient?birthdate=lt1990", "alice"),
        ("Observation?date=ap2026", "bp chol"),
        # date of an index row
        ("Condition?onset-date=2010", "asthma"),
        ("Condition?onset-date=2010-06", ""),
        ("Condition?onset-date=ge2009&onset-date=lt2011", "asthma"),
        ("Patient?death-date=2020-03", "bob"),
        ("Condition?recorded-date=2026-01-31", "asthma"),  # in the clinic's time zone
        ("Condition?recorded-date=2026-02-01", ""),
        # quantity
        ("Observation?value-quantity=5", "chol"),
        ("Observation?value-quantity=5.2", ""),
        ("Observation?value-quantity=120", ""),
        ("Observation?value-quantity=120.5", "bp"),
        ("Observation?value-quantity=1.2e2", "bp"),
        ("Observation?value-quantity=gt5", "bp"),
        ("Observation?value-quantity=ge5", "bp chol"),
        ("Observation?value-quantity=lt5", ""),
        ("Observation?value-quantity=le5", "chol"),
        ("Observation?value-quantity=ne5", "bp"),
        ("Observation?value-quantity=ap5.3", "chol"),
        ("Observation?value-quantity=sa5,eb5", "bp"),
        ("Observation?value-quantity=5|http://unitsofmeasure.org|mmol/L", "chol"),
        ("Observation?value-quantity=5|http://unitsofmeasure.org|mg", ""),
        ("Observation?value-quantity=gt1||mmHg", "bp"),
        # of every type
        ("Observation?_id=bp", "bp"),
        ("Observation?_id=bp,chol,nope", "bp chol"),
        ("Observation?_lastUpdated=gt2001", "bare bp chol"),
        ("Observation?_lastUpdated=lt2001", ""),
        ("Observation?_tag=urn:t|demo", "bp"),
        ("Observation?_security=R", "bp"),
        ("Observation?_security:not=R", "bare chol"),
        ("Observation?_profile=http://example.org/bp", "bp"),
        # missing
        ("Observation?date:missing=true", "bare"),
        ("Observation?date:missing=false", "bp chol"),
        ("Observation?performer:missing=false", "bp"),
        ("Observation?value-quantity:missing=true", "bare"),
        ("Patient?address:missing=true", "bob"),
        # together
        ("Observation?patient=alice&category=laboratory&code=2093-3&date=ge2026", "chol"),
        ("Observation", "bare bp chol"),
    ],
)
def test_search(query, ids):
    assert sorted(get(query).ids) == ids.split()


@pytest.mark.parametrize(
    "query",
    [
        "Observation?nonsense=1", "Observation?code:in=http://vs", "Observation?code:text=x",
        "Observation?code:above=1", "Observation?code=", "Observation?code:of-type=a|b|c",
        "Observation?date=soon", "Observation?date=2026-13", "Observation?date=2026-05-01T99:00:00Z",
        "Observation?date:exact=2026", "Observation?value-quantity=five", "Observation?value-quantity=1e999",
        "Observation?code:missing=maybe", "Observation?_count=x", "Observation?_count=-1",
        "Observation?_sort=code", "Observation?_sort=date,-date,_id,_lastUpdated", "Observation?_include=x",
        "Observation?_include=Patient:organization", "Observation?_include:iterate=Observation:subject",
        "Observation?_include=Observation:code", "Observation?_revinclude=Observation:subject:Group",
        "Observation?_summary=some", "Observation?_total=some", "Observation?_cursor=x",
        "Observation?_cursor=WyJ4Il0", "Observation?_cursor=bnVsbA", "Observation?_id:missing=true",
        "Patient?family=%00", "Patient?family:below=x", "Observation?_text=x",
        "Observation?_lastUpdated=ap2026",
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(query):
    result = get(query)
    assert result.status == 400
    assert result.diagnostics


def test_unknown_parameters_are_ignored_only_when_asked_to():
    strict = get("Observation?code=bp&nonsense=1", prefer="handling=strict")
    lenient = get("Observation?code=bp&nonsense=1", prefer="handling=lenient")

    assert strict.status == 400
    assert "nonsense" in strict.diagnostics
    assert lenient.ids == ["bp"]
    assert lenient.json["link"] == [{"relation": "self", "url": "Observation?code=bp"}]


def test_lenient_does_not_widen_a_chained_search():
    assert get("Observation?patient.nonsense=x", prefer="handling=lenient").status == 400


def test_search_by_post_takes_the_form_and_the_url():
    form = {"content_type": "application/x-www-form-urlencoded"}
    result = post("Observation/_search?status=final", b"code=2093-3&patient=Patient%2Falice", **form)

    assert result.ids == ["chol"]
    assert post("Observation/_search", b"{}", content_type="application/json").status == 415
    assert post("Observation/_search", b"\xff=1", **form).status == 400


def test_an_empty_result_has_no_entries():
    assert "entry" not in get("Observation?code=nothing").json


def test_count_zero_and_summary_count_give_the_number_only():
    for query in ("Observation?_count=0", "Observation?_summary=count"):
        found = get(query).json
        assert found["total"] == 3
        assert "entry" not in found


def test_total_is_there_when_it_is_known_or_asked_for():
    assert get("Observation").json["total"] == 3
    assert "total" not in get("Observation?_count=1").json
    assert get("Observation?_count=1&_total=accurate").json["total"] == 3


def test_elements_keeps_what_was_asked_for_and_what_must_be_there():
    result = get("Observation?_id=chol&_elements=valueQuantity,subject")
    resource = result.json["entry"][0]["resource"]

    assert set(resource) == {"resourceType", "id", "meta", "status", "code", "valueQuantity", "subject"}
    assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"


def test_a_deleted_resource_is_not_found():
    call("DELETE", "Observation/chol")
    assert get("Observation?code=http://loinc.org|2093-3").ids == []
    assert get("Observation?patient=alice").ids == ["bp"]


@pytest.mark.parametrize(
    ("query", "statements"),
    [
        ("Observation?patient=alice&category=laboratory&date=ge2026&_sort=-date", 1),
        ("Patient?family=mo&birthdate=lt1990", 1),
        ("Observation?patient=alice&_include=Observation:performer", 2),
        ("Observation?patient=alice&_revinclude=Provenance:target", 2),
        (
            "Observation?patient=alice&_include=Observation:subject"
            "&_revinclude=Provenance:target&_total=accurate",
            4,
        ),
        ("Observation?patient=alice&_summary=count", 1),
    ],
)  # fmt: skip
def test_search_costs_few_statements(query, statements, django_assert_num_queries):
    with django_assert_num_queries(statements):
        assert get(query).status == 200


class TestIncludes:
    def test_include_brings_what_the_matches_refer_to(self):
        result = get("Observation?code=bp&_include=Observation:performer&_include=Observation:subject")
        assert result.ids == ["bp"]
        assert result.included == {"Practitioner/osei", "Patient/alice"}

    def test_include_of_one_target_type(self):
        url = "Observation?code=bp&_include=Observation:performer"
        assert get(f"{url}:Practitioner").included == {"Practitioner/osei"}
        assert get(f"{url}:Organization").included == set()

    def test_revinclude_brings_what_refers_to_the_matches(self):
        put(provenance("pv", "Observation/bp"))

        result = get("Observation?patient=alice&_revinclude=Provenance:target")

        assert sorted(result.ids) == ["bp", "chol"]
        assert result.included == {"Provenance/pv"}

    def test_what_is_not_there_any_more_is_not_included(self):
        call("DELETE", "Practitioner/osei")
        assert get("Observation?code=bp&_include=Observation:performer").included == set()

    def test_a_match_is_not_included_again(self):
        put(observation("child", hasMember=[{"reference": "Observation/chol"}]))
        result = get("Observation?patient=alice&_include=Observation:has-member")
        assert result.included == set()
