"""What is taken, and what is refused with the path of the element at fault."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fhirstore import documents, structure
from fhirstore.definitions import TYPES
from fhirstore.outcome import Refused
from fhirstore.shapes import CODES, Element, elements
from tests.fhirstore.calls import bundle, encounter, entry, get, observation, patient, post

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
with_data = pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not on this machine")


def problems(document: dict[str, Any]) -> dict[str, str]:
    """Path -> kind of what is wrong with a document."""
    try:
        structure.check(documents.parse(json.dumps(document).encode()))
    except Refused as refused:
        return {issue.expression: issue.code for issue in refused.issues}
    return {}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (patient(), {}),
        (patient(shoeSize=43), {"Patient.shoeSize": "structure"}),
        (patient(active="yes"), {"Patient.active": "value"}),
        (patient(birthDate="17.5.1980"), {"Patient.birthDate": "value"}),
        (patient(birthDate="1980-13"), {"Patient.birthDate": "value"}),
        (patient(birthDate="1980"), {}),
        (patient(name={"family": "Moreno"}), {"Patient.name": "structure"}),
        (patient(name=[]), {"Patient.name": "structure"}),
        (patient(name=[{}]), {"Patient.name[0]": "structure"}),
        (patient(name=[{"given": ["Alice", 7]}]), {"Patient.name[0].given[1]": "value"}),
        (patient(name=[{"given": [None], "_given": [{"id": "g"}]}]), {}),
        (patient(name=[{"given": [None]}]), {"Patient.name[0].given[0]": "value"}),
        (patient(gender="woman"), {"Patient.gender": "code-invalid"}),
        (patient(gender="female", active=None), {"Patient.active": "value"}),
        (patient(_birthDate={"extension": [{"url": "urn:x", "valueCode": "unknown"}]}), {}),
        (patient(_birthDate={"nonsense": 1}), {"Patient._birthDate.nonsense": "structure"}),
        (patient(_name=[{"id": "n"}]), {"Patient._name": "structure"}),
        (patient(extension=[{"valueString": "x"}]), {"Patient.extension[0].url": "required"}),
        (patient(deceasedBoolean=True, deceasedDateTime="2020"), {"Patient.deceasedDateTime": "structure"}),
        (patient(managingOrganization={"reference": "Practitioner/1"}),
         {"Patient.managingOrganization.reference": "invariant"}),
        (patient(managingOrganization={"reference": "https://x.example/Organization/1/_history/2"}), {}),
        (patient(managingOrganization={"reference": "Patient?identifier=1"}),
         {"Patient.managingOrganization.reference": "invariant"}),
        (patient(managingOrganization={"reference": "#o"}, contained=[{"resourceType": "Organization"}]), {}),
        (patient(contained=[{"resourceType": "X"}]), {"Patient.contained[0].resourceType": "structure"}),
        (patient(contained=[{"resourceType": "Group", "id": "g"}]),
         {"Patient.contained[0].type": "required", "Patient.contained[0].actual": "required"}),
        (observation("o", status=None), {"Observation.status": "code-invalid"}),
        (observation("o", status="done"), {"Observation.status": "code-invalid"}),
        (observation("o", valueQuantity={"value": "5"}), {"Observation.valueQuantity.value": "value"}),
        (observation("o", valueMoney={"value": 5}), {"Observation.valueMoney": "structure"}),
        (observation("o", issued="2026-05-01"), {"Observation.issued": "value"}),
        (observation("o", effectiveDateTime="2026-05-01T09:30:00"),
         {"Observation.effectiveDateTime": "value"}),
        (observation("o", component=[{"valueInteger": 1.5}]),
         {"Observation.component[0].valueInteger": "value", "Observation.component[0].code": "required"}),
        (encounter("e", length={"value": 1.50, "comparator": "~"}),
         {"Encounter.length.comparator": "code-invalid"}),
        ({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"},
          "clinicalStatus": {"coding": [{"system": "urn:x", "code": "active"}]}},
         {"AllergyIntolerance.clinicalStatus": "code-invalid"}),
        ({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"},
          "clinicalStatus": {"text": "active"}}, {}),
        ({"resourceType": "Questionnaire", "status": "draft",
          "item": [{"linkId": "1", "type": "group", "item": [{"type": "string"}]}]},
         {"Questionnaire.item[0].item[0].linkId": "required"}),
    ],
)  # fmt: skip
def test_a_document_is_checked_element_by_element(document, expected):
    assert problems(document) == expected


def test_a_message_holds_no_value_of_the_record():
    with pytest.raises(Refused) as refused:
        structure.check(patient(birthDate="geheim", gender="geheim", name=[{"use": "geheim"}]))

    assert "geheim" not in str(refused.value)
    assert len(refused.value.issues) == 3


@pytest.mark.django_db
def test_a_reference_to_an_entry_of_the_same_bundle_is_checked_as_what_it_becomes():
    clinic = {"resourceType": "Organization", "name": "Riverside"}
    result = post(
        "",
        bundle(
            "transaction",
            entry("POST", "Organization", clinic, "urn:uuid:0f7e3c1c-0000-4000-8000-000000000001"),
            entry("POST", "Encounter", encounter(
                "e", subject={"reference": "urn:uuid:0f7e3c1c-0000-4000-8000-000000000001"})),
        ),
    )  # fmt: skip

    assert result.json["issue"][0]["expression"] == ["Bundle.entry[1].resource.subject.reference"]


@pytest.mark.django_db
def test_one_bad_entry_is_named_and_nothing_of_its_bundle_is_kept():
    result = post(
        "",
        bundle(
            "transaction",
            entry("PUT", "Patient/alice", patient()),
            entry("PUT", "Observation/o1", observation("o1", status="done")),
        ),
    )

    assert result.status == 422
    assert result.json["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    assert "final" in result.diagnostics
    assert get("Patient/alice").status == 404


@pytest.mark.django_db
def test_all_that_is_wrong_is_told_at_once():
    result = post("Observation", {"resourceType": "Observation", "valueQuantity": {"value": "1"}})

    assert {each["expression"][0] for each in result.json["issue"]} == {
        "Observation.valueQuantity.value", "Observation.status", "Observation.code"
    }  # fmt: skip


def test_every_type_has_its_elements():
    for kind in TYPES:
        assert {"id", "meta"} <= {element.name for element in elements(kind)}
        assert set(TYPES[kind]) == {
            f"{e.name}[x]" if e.is_choice else e.name for e in elements(kind) if e.is_required
        }


def test_every_value_set_that_is_named_is_there():
    named = {t.value_set for kind in TYPES for e in elements(kind) for t in e.types if t.value_set}
    assert named <= CODES.keys()


@with_data
def test_the_table_says_what_the_standard_says():
    with gzip.open(DATA / "definitions/r4/profiles-resources.json.gz") as file:
        entries = json.load(file)["entry"]
    for resource in (each["resource"] for each in entries):
        if resource["resourceType"] == "StructureDefinition" and resource["type"] in TYPES:
            ours = {f"{e.name}[x]" if e.is_choice else e.name: e for e in elements(resource["type"])}
            depth_one = [e for e in resource["snapshot"]["element"] if e["path"].count(".") == 1]
            assert ours.keys() == {each["path"].partition(".")[2] for each in depth_one}
            for theirs in depth_one:
                compare(ours[theirs["path"].partition(".")[2]], theirs)


def compare(ours: Element, theirs: dict[str, Any]) -> None:
    assert ours.is_required == (theirs["min"] > 0)
    assert ours.is_list == (theirs["max"] != "1")
    if ours.name != "meta":
        assert ours.in_summary == theirs.get("isSummary", False), theirs["path"]


# Examples of the standard that break the standard: elements it requires are missing, or a reference leads to
# a type that it does not allow there.
WRONG = {
    "Questionnaire/qs1", "DeviceUseStatement/example", "MedicationRequest/medrx0301",
    "Observation/clinical-gender", "DeviceMetric/example",
}  # fmt: skip


@with_data
@pytest.mark.parametrize(
    ("folder", "wrong"),
    [
        ("r4-spec", WRONG), ("us-core-6.1.0", set()), ("us-core-8.0.0", set()), ("ips", set()),
        ("carin-bb", set()), ("genomics", set()), ("ihe-pcf-consent", set()), ("ihe-balp-audit", set()),
        ("shift-labelled", set()), ("ab352-consent", set()), ("guardian-consent", set()),
    ],
)  # fmt: skip
def test_nothing_that_is_right_is_refused(folder, wrong):
    refused = set()
    for path in sorted((DATA / "examples" / folder).glob("*.ndjson.gz")):
        with gzip.open(path) as file:
            for document in map(documents.parse, file):
                try:
                    structure.check(document)
                except Refused:
                    refused.add(f"{document['resourceType']}/{document['id']}")
    assert refused == wrong
