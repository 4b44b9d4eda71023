"""C-CDA R2.1 CCD: each conformance statement that we rest on, by its CONF number, on every chart."""

from xml.etree import ElementTree

import pytest

from exports.formats import ccd, cda
from exports.formats.about import LeftOut, Why
from tests.exports.formats import cast

NS = {"v3": cda.V3, "sdtc": cda.SDTC}
TYPE = f"{{{cda.XSI}}}type"
T = "2.16.840.1.113883.10.20.22"
PEOPLE = [*cast.CHARTS.values(), *cast.synthetic(1)]
# CONF:1198-30662, 30664, 30666, 30670, 30688, 30690: exactly one of each
REQUIRED = {"2.6.1": "48765-2", "2.1.1": "10160-0", "2.5.1": "11450-4"} | {
    "2.3.1": "30954-2",
    "2.17": "29762-2",
    "2.4.1": "8716-3",
}
ENTRY = {"2.6.1": "4.30", "2.1.1": "4.16", "2.5.1": "4.3", "2.3.1": "4.1", "2.4.1": "4.26"}


def made(chart, **changed):
    return ElementTree.fromstring(ccd.file(chart, cast.about(chart, **changed)))


@pytest.fixture(scope="module", params=range(len(PEOPLE)))
def document(request):
    """The document of each of PEOPLE, made once for all who only read it."""
    return made(PEOPLE[request.param])


def with_template(node, oid):
    return [
        e for e in node.iter() if any(t.get("root") == f"{T}.{oid}" for t in e.findall("v3:templateId", NS))
    ]


def section(document, oid):
    (found,) = with_template(document, oid)
    return found


def one(node, path):
    """Exactly one [1..1]."""
    (found,) = node.findall(path, NS)
    return found


def without(chart, *kinds):
    return [r for r in chart if r["resourceType"] not in kinds]


def with_one(resource):
    return [cast.alice()[0], resource]


def test_the_header_is_the_US_realms(document):
    role = one(document, "v3:recordTarget/v3:patientRole")
    author = one(document, "v3:author/v3:assignedAuthor")
    event = one(document, "v3:documentationOf/v3:serviceEvent")

    assert one(document, "v3:realmCode").get("code") == "US"  # 1198-16791
    assert one(document, "v3:typeId").get("extension") == "POCD_HD000040"  # 1198-5251
    assert (
        document.find(f"v3:templateId[@root='{T}.1.2'][@extension='2015-08-01']", NS) is not None
    )  # 1198-32516
    assert one(document, "v3:code").get("code") == "34133-9"  # 1198-17181
    assert one(document, "v3:effectiveTime").get("value") == "20261123093000-0500"  # 1198-5256
    assert one(document, "v3:confidentialityCode").get("code")  # 1198-5259
    assert role.findall("v3:addr", NS)  # 1198-5271
    assert role.findall("v3:telecom", NS)  # 1198-5280
    for name in ("name", "administrativeGenderCode", "birthTime", "raceCode", "ethnicGroupCode"):
        one(role, f"v3:patient/v3:{name}")  # 1198-5284, 6394, 5298, 5322, 5323
    one(author, "v3:assignedAuthoringDevice")  # 1198-8456 with an organisation
    one(author, "v3:representedOrganization")
    one(document, "v3:custodian/v3:assignedCustodian/v3:representedCustodianOrganization/v3:name")
    assert event.get("classCode") == "PCPR"  # 1198-8453
    one(event, "v3:effectiveTime/v3:low")  # 1198-8454
    one(event, "v3:effectiveTime/v3:high")  # 1198-8455


def test_each_required_section_is_there_with_entries_or_says_that_it_has_no_information(document):
    for oid, code in REQUIRED.items():
        found = section(document, oid)
        entries = found.findall("v3:entry", NS)

        assert one(found, "v3:code").get("code") == code
        assert one(found, "v3:title").text
        assert len(one(found, "v3:text"))
        if oid in ENTRY:
            assert bool(entries) != (found.get("nullFlavor") == "NI")  # 1198-32875, 7112 and their like
            assert len(with_template(found, ENTRY[oid])) == len(entries)


def test_each_R21_template_stands_beside_the_one_of_R11(document):
    for element in document.iter():  # CONF:1198-32936
        roots = [t.get("root") for t in element.findall("v3:templateId", NS) if t.get("extension")]
        bare = [t.get("root") for t in element.findall("v3:templateId", NS) if not t.get("extension")]

        assert roots == bare


def test_each_entry_has_what_its_template_asks_for(document):
    for allergy in with_template(document, "4.7"):
        assert one(allergy, "v3:code").get("code") == "ASSERTION"  # 1098-15948
        one(allergy, "v3:effectiveTime/v3:low")  # 1098-31538
        assert one(allergy, "v3:value").get(TYPE) == "CD"  # 1098-7390
        one(
            allergy, "v3:participant[@typeCode='CSM']/v3:participantRole/v3:playingEntity/v3:code"
        )  # 1098-7419
    for problem in with_template(document, "4.4"):
        one(problem, "v3:code/v3:translation")  # 1198-32950
        one(problem, "v3:effectiveTime/v3:low")  # 1198-15603
        assert one(problem, "v3:value").get(TYPE) == "CD"  # 1198-9058
    for medicine in with_template(document, "4.16"):
        assert one(medicine, "v3:statusCode").get("code") in {"active", "completed", "aborted", "suspended"}
        one(medicine, "v3:effectiveTime/v3:low")  # 1098-32890
        one(medicine, "v3:doseQuantity")  # 1098-7516
        one(medicine, "v3:consumable/v3:manufacturedProduct/v3:manufacturedMaterial/v3:code")  # 1098-16085
    for result in with_template(document, "4.2"):
        one(result, "v3:code")  # 1198-7133
        one(result, "v3:effectiveTime")  # 1198-7140
        assert one(result, "v3:value").get(TYPE) in {"PQ", "ST"}  # 1198-7143
    for vital in with_template(document, "4.27"):
        assert one(vital, "v3:statusCode").get("code") == "completed"  # 1098-19119
        assert one(vital, "v3:value").get(TYPE) == "PQ"  # 1098-7305
        assert one(vital, "v3:value").get("unit")  # 1098-31579
    for cluster in with_template(document, "4.26"):
        assert one(cluster, "v3:code").get("code") == "46680005"  # 1198-32741
        assert one(cluster, "v3:code/v3:translation").get("code") == "74728-7"  # 1198-32744
    for smoking in with_template(document, "4.78"):
        assert one(smoking, "v3:effectiveTime").get("value")  # 1098-31928, 32894
        assert one(smoking, "v3:value").get("code")  # 1098-14817


def test_every_reference_leads_to_a_row_of_the_text(document):
    rows = [row.get("ID") for row in document.iter(f"{{{cda.V3}}}tr") if row.get("ID")]
    led = {r.get("value").removeprefix("#") for r in document.iter(f"{{{cda.V3}}}reference")}

    assert len(rows) == len(set(rows))
    assert led <= set(rows)


def test_an_empty_record_says_no_information_in_each_required_section():
    document = made([cast.alice()[0]])

    assert {oid for oid in REQUIRED if section(document, oid).get("nullFlavor") == "NI"} == set(REQUIRED)
    assert "Not recorded" in "".join(section(document, "2.6.1").itertext())


def test_what_is_left_out_is_said_in_its_section():
    chart = without(cast.alice(), "AllergyIntolerance")
    document = made(chart, left_out=(LeftOut("allergies", Why.CHOSEN),))

    assert "It was not chosen" in "".join(section(document, "2.6.1").itertext())


def test_no_known_allergy_is_a_negated_observation():
    none = {"resourceType": "AllergyIntolerance", "id": "n", "code": {"coding": [{"code": "716186003"}]}}
    (allergy,) = with_template(made(with_one(none)), "4.7")

    assert allergy.get("negationInd") == "true"
    assert (
        one(allergy, "v3:participant/v3:participantRole/v3:playingEntity/v3:code").get("nullFlavor") == "NA"
    )


def test_a_number_keeps_its_decimals_and_a_bound_is_text():
    quantity = {"value": 1, "unit": "mg/dL", "code": "mg/dL", "system": "http://unitsofmeasure.org"}
    base = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    exact = with_one({**base, "valueQuantity": {**quantity, "value": cast.Decimal("1.50")}})
    bound = with_one({**base, "valueQuantity": {**quantity, "comparator": "<"}})

    assert one(section(made(exact), "2.3.1"), ".//v3:observation/v3:value").get("value") == "1.50"
    assert one(section(made(bound), "2.3.1"), ".//v3:observation/v3:value").text == "<1 mg/dL"


def test_a_medicine_of_unknown_status_is_in_the_text_only():
    unknown = {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "unknown",
        "medicationCodeableConcept": {},
    }
    found = section(made(with_one({**unknown, "medicationCodeableConcept": {"text": "Aspirin"}})), "2.1.1")

    assert not found.findall("v3:entry", NS)
    assert "Aspirin" in "".join(found.itertext())


def test_nothing_that_people_wrote_is_markup():
    names = {element.tag for element in made(cast.alice()).iter()}
    hostile = made(cast.hostile(), sources=(cast.HERE, cast.THERE))

    assert "<script>alert(1)</script>" in "".join(hostile.itertext())
    assert {element.tag for element in hostile.iter()} - names <= {f"{{{cda.V3}}}originalText"}


@pytest.mark.parametrize("chart", PEOPLE)
def test_the_same_records_give_the_same_bytes_in_any_order(chart):
    assert ccd.file(list(reversed(chart)), cast.about(chart)) == ccd.file(chart, cast.about(chart))
