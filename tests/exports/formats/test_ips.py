"""International Patient Summary 2.0.0: sections, references, reasons, a model of FHIR that is not ours."""

import json
from decimal import Decimal
from xml.etree import ElementTree

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle

from exports.formats import ips
from exports.formats.about import LeftOut, Why
from tests.exports.formats import cast

REQUIRED = {"10160-0", "48765-2", "11450-4"}  # Composition-uv-ips: medications, allergies, problems
PEOPLE = [*cast.CHARTS.values(), *cast.synthetic()]


def made(chart, **changed):
    return json.loads(ips.file(chart, cast.about(chart, **changed)), parse_float=Decimal)


def composition(bundle):
    return bundle["entry"][0]["resource"]


def section(bundle, code):
    return next(s for s in composition(bundle)["section"] if s["code"]["coding"][0]["code"] == code)


def of_type(bundle, kind):
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def without(chart, *kinds):
    return [r for r in chart if r["resourceType"] not in kinds]


@pytest.mark.parametrize("chart", PEOPLE)
def test_each_summary_is_a_document_with_the_required_sections_and_nothing_that_leads_out(chart):
    bundle = made(chart)
    first = composition(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]

    assert (bundle["type"], first["resourceType"]) == ("document", "Composition")
    assert bundle["identifier"]["value"].startswith("urn:uuid:")
    assert first["type"]["coding"][0]["code"] == "60591-5"
    assert {s["code"]["coding"][0]["code"] for s in first["section"]} >= REQUIRED
    assert len(of_type(bundle, "Patient")) == 1
    assert len(urls) == len(set(urls))
    assert {r for r in references(bundle) if not r.startswith("#")} <= set(urls)
    assert {first["subject"]["reference"], first["custodian"]["reference"]} <= set(urls)


@pytest.mark.parametrize("chart", PEOPLE)
def test_every_section_has_a_text_and_either_entries_or_a_reason(chart):
    for one in composition(made(chart))["section"]:
        div = ElementTree.fromstring(one["text"]["div"])

        assert div.tag == "{http://www.w3.org/1999/xhtml}div"
        assert one["title"]
        assert bool(one.get("entry")) != bool(one.get("emptyReason"))  # ips-comp-1, cmp-2


@pytest.mark.parametrize("chart", list(cast.CHARTS.values()))
def test_a_model_of_FHIR_that_is_not_ours_takes_it(chart):
    body = ips.file(chart, cast.about(chart))

    assert Bundle.model_validate_json(body).type == "document"


def test_not_recorded_and_left_out_are_two_reasons_and_none_is_invented():
    chart = without(cast.alice(), "AllergyIntolerance", "MedicationRequest", "MedicationStatement")
    bundle = made(chart, left_out=(LeftOut("medicines", Why.CHOSEN),))

    assert section(bundle, "48765-2")["emptyReason"]["coding"][0]["code"] == "unavailable"
    assert section(bundle, "10160-0")["emptyReason"]["coding"][0]["code"] == "withheld"
    assert "does not mean that there is none" in section(bundle, "48765-2")["text"]["div"]


def test_a_source_that_did_not_answer_is_unavailable():
    chart = without(cast.alice(), "AllergyIntolerance")
    bundle = made(chart, left_out=(LeftOut("allergies", Why.MISSING),))

    assert section(bundle, "48765-2")["emptyReason"]["coding"][0]["code"] == "unavailable"


def test_none_known_is_the_sources_own_record():
    none = {
        "resourceType": "AllergyIntolerance",
        "id": "none",
        "code": {
            "coding": [{"system": "http://snomed.info/sct", "code": "716186003"}],
            "text": "No known allergy",
        },
        "patient": {"reference": "Patient/x"},
    }
    bundle = made([*without(cast.alice(), "AllergyIntolerance"), none])
    (allergy,) = of_type(bundle, "AllergyIntolerance")

    assert section(bundle, "48765-2")["entry"] == [{"reference": f"urn:uuid:{allergy['id']}"}]
    assert allergy["patient"]["reference"] == composition(bundle)["subject"]["reference"]


def test_what_was_entered_in_error_is_not_in_it():
    wrong = {"coding": [{"code": "entered-in-error"}]}
    chart = [
        {**r, "verificationStatus": wrong} if r["resourceType"] == "Condition" else r for r in cast.alice()
    ]

    assert not of_type(made(chart), "Condition")


def test_a_resolved_condition_is_a_past_illness():
    resolved = {"coding": [{"code": "resolved"}]}
    chart = [
        {**r, "clinicalStatus": resolved} if r["resourceType"] == "Condition" else r for r in cast.alice()
    ]
    bundle = made(chart)

    assert section(bundle, "11348-0")["entry"]
    assert "emptyReason" in section(bundle, "11450-4")


def test_two_sources_may_use_one_id_and_each_has_its_provenance():
    theirs = [{**r, "meta": {"source": cast.THERE.uri}} for r in cast.alice()]
    ours = [{**r, "meta": {"source": cast.HERE.uri}} for r in cast.alice()]
    chart = [*ours, *theirs]
    one, both = made(ours), made(chart, sources=(cast.HERE, cast.THERE))
    sources = of_type(both, "Provenance")

    assert len(of_type(both, "Condition")) == 2 * len(of_type(one, "Condition"))
    assert len(of_type(both, "Patient")) == 1
    assert [p["agent"][0]["who"]["display"] for p in sources] == [cast.HERE.name, cast.THERE.name]
    assert not set(references(sources[0])) & set(references(sources[1]))


def test_a_document_is_as_sensitive_as_what_is_in_it():
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    label = {"system": system, "code": "R"}
    chart = cast.alice()
    marked = [{**r, "meta": {"security": [label]}} if r["resourceType"] == "Condition" else r for r in chart]

    assert composition(made(marked))["confidentiality"] == "R"
    assert "R" in {one["code"] for one in made(marked)["meta"]["security"]}
    assert composition(made([chart[0]]))["confidentiality"] == "N"


def test_a_time_that_nobody_wrote_is_said_to_be_unknown():
    chart = [
        cast.alice()[0],
        {"resourceType": "Procedure", "id": "p", "status": "completed", "code": {"text": "x"}},
    ]
    (procedure,) = of_type(made(chart), "Procedure")

    assert procedure["_performedDateTime"] == ips.UNKNOWN


def test_decimals_stay_as_they_were_sent():
    value = {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"text": "x"},
        "valueQuantity": {"value": Decimal("1.50")},
    }

    assert b'"value":1.50' in ips.file([cast.alice()[0], value], cast.about(cast.alice()))


def test_a_long_chain_of_references_ends():
    chain = [
        {"resourceType": "Observation", "id": f"{n}", "hasMember": [{"reference": f"Observation/{n + 1}"}]}
        for n in range(3000)
    ]

    assert len(of_type(made([cast.alice()[0], *chain]), "Observation")) == 3000


def test_nothing_that_people_wrote_is_markup_in_a_text():
    for one in composition(made(cast.hostile(), sources=(cast.HERE, cast.THERE)))["section"]:
        div = ElementTree.fromstring(one["text"]["div"])

        assert {element.tag.partition("}")[2] for element in div.iter()} <= {
            *("div", "h2", "p", "table", "thead", "tbody", "tr", "th", "td")
        }


@pytest.mark.parametrize("chart", PEOPLE)
def test_the_same_records_give_the_same_bytes_in_any_order(chart):
    body = ips.file(chart, cast.about(chart))

    assert ips.file(list(reversed(chart)), cast.about(chart)) == body
    assert msgspec.json.decode(body)["id"]
