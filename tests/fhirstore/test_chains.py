"""Search through references, values that belong together, compartments, and what is shown of a match."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fhirstore.search import chains
from tests.fhirstore.calls import LOINC, UCUM, encounter, get, observation, patient, post, provenance, put

pytestmark = pytest.mark.django_db

SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"
STATUS = "http://hl7.org/fhir/observation-status"


def component(code: str, **value: object) -> dict:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}} | value


def pressure(value: float) -> dict:
    return {"value": value, "system": UCUM, "code": "mm[Hg]"}


@pytest.fixture(autouse=True)
def records() -> None:
    put(patient("alice", gender="female", birthDate="1980-05-17"))
    put(patient("tom", name=[{"family": "Moreno", "given": ["Tom"]}], gender="male", birthDate="2014"))
    put({"resourceType": "Practitioner", "id": "osei", "name": [{"family": "Osei"}],
         "identifier": [{"system": "urn:npi", "value": "1"}]})  # fmt: skip
    put(
        {"resourceType": "PractitionerRole", "id": "role", "practitioner": {"reference": "Practitioner/osei"}}
    )
    put(encounter("visit"))
    put(observation("lab", encounter={"reference": "Encounter/visit"}))
    put(
        observation(
            "toms", subject={"reference": "Patient/tom"}, performer=[{"reference": "Practitioner/osei"}]
        )
    )
    put(observation(
        "bp", code={"text": "blood pressure"},
        valueCodeableConcept={"coding": [{"system": "urn:v", "code": "high"}]},
        component=[
            component(SYSTOLIC, valueQuantity=pressure(120)),
            component(DIASTOLIC, valueQuantity=pressure(80)),
            component("pos", valueCodeableConcept={"coding": [{"system": "urn:v", "code": "sitting"}]}),
        ],
    ))  # fmt: skip
    put(provenance("pv", "Observation/lab"))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("Observation?patient.name=alice", "bp lab"),
        ("Observation?patient.given:exact=Tom", "toms"),
        ("Observation?subject:Patient.birthdate=lt2000", "bp lab"),
        ("Observation?subject.family=moreno", "bp lab toms"),
        ("Observation?subject:Group.identifier=x", ""),
        ("Observation?patient.name=nobody", ""),
        ("Observation?patient.name=alice&code=2093-3", "lab"),
        ("Observation?performer.name=osei", "toms"),
        ("Observation?performer:Practitioner.identifier=urn:npi|1", "toms"),
        ("Observation?encounter.status=finished", "lab"),
        ("PractitionerRole?practitioner.name=osei", "role"),
        ("PractitionerRole?practitioner.identifier=urn:npi|1", "role"),
        ("Patient?_has:Observation:patient:code=2093-3", "alice tom"),
        ("Patient?_has:Observation:patient:encounter=Encounter/visit", "alice"),
        ("Patient?_has:Observation:patient:code=nothing", ""),
        ("Patient?_has:Encounter:patient:status=finished&gender=female", "alice"),
        ("Practitioner?_has:Observation:performer:status=final", "osei"),
        ("Encounter?_has:Observation:encounter:code=http://loinc.org|2093-3", "visit"),
        ("Observation?_has:Provenance:target:recorded=2026-05", "lab"),
        # composite
        ("Observation?code-value-quantity=2093-3$5", "lab toms"),
        ("Observation?code-value-quantity=http://loinc.org|2093-3$gt5", ""),
        ("Observation?code-value-quantity=2093-3$5.0|http://unitsofmeasure.org|mmol/L&patient=tom", "toms"),
        ("Observation?combo-code-value-quantity=2093-3$5", "lab toms"),
        ("Observation?combo-code-value-quantity=8480-6$gt110", "bp"),
        ("Observation?component-code-value-quantity=http://loinc.org|8480-6$gt110", "bp"),
        ("Observation?component-code-value-quantity=8462-4$gt110", ""),
        ("Observation?component-code-value-quantity=8462-4$gt110,8480-6$120", "bp"),
        ("Observation?component-code-value-concept=pos$sitting", "bp"),
        ("Observation?component-code-value-concept=http://loinc.org|pos$urn:v|sitting", "bp"),
        ("Observation?component-code-value-concept=8480-6$sitting", ""),
        ("Observation?combo-code-value-concept=pos$high", ""),
        # a code element means the system of its value set
        (f"Observation?status={STATUS}|final", "bp lab toms"),
        (f"Observation?status={STATUS}|", "bp lab toms"),
        (f"Observation?status={STATUS}|preliminary", ""),
        ("Observation?status=urn:other|final", ""),
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|female", "alice"),
        # compartment
        ("Patient/alice/Observation", "bp lab"),
        ("Patient/tom/Observation?code=2093-3", "toms"),
        ("Patient/nobody/Observation", ""),
    ],
)  # fmt: skip
def test_search(query, ids):
    assert sorted(get(query).ids) == ids.split()


@pytest.mark.parametrize("query", [
    "Observation?patient.nonsense=1", "Observation?patient.general-practitioner.name=x",
    "Observation?code.name=x",
    "Observation?focus.identifier=x", "Observation?subject:Unicorn.name=x", "Observation?patient.name=",
    "Patient?_has:Observation:patient=x", "Patient?_has:Unicorn:patient:code=x",
    "Patient?_has:Observation:code:code=x",
    "Patient?_has:Observation:patient:_has:Provenance:x:y=2",
    "Observation?code-value-quantity=2093-3", "Observation?code-value-quantity=2093-3$x",
    "Observation?code-value-quantity:missing=true", "Observation?code-value-quantity=$5",
])  # fmt: skip
def test_what_cannot_be_followed_is_refused(query):
    assert get(query).status == 400
    assert get(query, prefer="handling=lenient").status == 400


class TestManyAtTheOtherEnd:
    """Where more fit than can be listed, candidates are looked at one by one, with the same result."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chains, "MAX_LINKED", 1)

    @pytest.mark.parametrize(("query", "ids"), [
        ("Observation?patient.family=moreno", "bp lab toms"),
        ("Observation?patient.family=moreno&patient.birthdate=gt2000", "toms"),
        ("Patient?_has:Observation:patient:status=final", "alice tom"),
        ("Patient?_has:Observation:patient:status=final&gender=male", "tom"),
    ])  # fmt: skip
    def test_search(self, query, ids):
        assert sorted(get(query).ids) == ids.split()

    def test_what_cannot_be_looked_at_one_by_one_has_to_be_narrowed(self):
        result = get("Encounter?_has:Observation:encounter:status=final")
        assert (result.status, result.json["issue"][0]["code"]) == (400, "too-costly")
        assert "narrow" in result.diagnostics


def test_a_chain_costs_one_more_statement():
    with CaptureQueriesContext(connection) as statements:
        get("Observation?patient.name=alice")
    assert len(statements) == 2


def test_pages_of_a_compartment_and_of_a_chain_go_on():
    for start in ("Patient/alice/Observation?_count=1", "Observation?patient.name=alice&_count=1"):
        page = get(start)
        following = get(page.next)
        assert {*page.ids, *following.ids} == {"bp", "lab"}
        assert following.next is None


def test_a_compartment_is_searched_by_post_too():
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert post("Patient/alice/Observation/_search", b"code=2093-3", **form).ids == ["lab"]
    assert get("Patient/alice/Practitioner").status == 404


def test_strings_sort():
    assert get("Patient?_sort=given").ids == ["alice", "tom"]
    assert get("Patient?_sort=-given,_id").ids == ["tom", "alice"]
    assert get(get("Patient?_sort=-given&_count=1").next).ids == ["alice"]


class TestSummary:
    @pytest.fixture
    def narrated(self) -> None:
        text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
        put(observation("bp", text=text, note=[{"text": "resting"}], valueQuantity={"value": 120}))

    @pytest.mark.parametrize(("summary", "shown"), [
        ("true", {"status", "code", "subject", "effectiveDateTime", "valueQuantity"}),
        ("text", {"status", "code", "text"}),
        ("data", {"status", "code", "subject", "effectiveDateTime", "valueQuantity", "category", "note"}),
    ])  # fmt: skip
    def test_a_summary_shows_what_the_standard_says(self, narrated, summary, shown):
        result = get(f"Observation?_id=bp&_summary={summary}")
        (found,) = (each["resource"] for each in result.json["entry"])

        assert found.keys() - {"resourceType", "id", "meta"} == shown
        assert found["meta"]["tag"][0]["code"] == "SUBSETTED"
        assert f"_summary={summary}" in result.json["link"][0]["url"]

    def test_no_summary_is_all(self, narrated):
        (found,) = (each["resource"] for each in get("Observation?_id=bp&_summary=false").json["entry"])
        assert {"text", "note"} <= found.keys()
        assert "tag" not in found["meta"]
