import gzip
import json
from pathlib import Path

import pytest

from consent.labels import labelled_codes, labels_of
from consent.vocabulary import (
    ACT_CODE,
    CONFIDENTIALITY,
    OBSERVATION_CATEGORY,
    TOPICS,
    Category,
    Label,
    categories_of,
    categories_of_scope,
    resource_types_of,
)
from consent.words import CATEGORY, TOPIC
from fhirproxy.interactions import SERVED

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LABELLED = SHARED / "examples" / "shift-labelled"


def observation(category: str) -> dict:
    coding = {"system": OBSERVATION_CATEGORY, "code": category}
    return {"resourceType": "Observation", "category": [{"coding": [coding]}]}


def test_every_category_has_a_name_and_every_topic_too():
    assert set(CATEGORY) == set(Category)
    assert set(TOPIC) == {topic.code for topic in TOPICS}


def test_every_label_is_in_exactly_one_private_topic():
    named = [label for topic in TOPICS for label in topic.labels]

    assert sorted(named) == sorted(Label)


def test_every_category_is_found_somewhere():
    for category in set(Category) - {Category.OTHER}:
        assert resource_types_of(category), category


def test_what_a_scope_reaches_covers_what_its_resources_are():
    for resource_type in SERVED:
        resource = {"resourceType": resource_type}
        assert categories_of(resource) <= categories_of_scope(resource_type)


@pytest.mark.parametrize(
    ("resource", "category"),
    [
        (observation("laboratory"), Category.TEST_RESULTS),
        (observation("vital-signs"), Category.VITAL_SIGNS),
        (observation("made-up"), Category.OTHER),
        ({"resourceType": "Observation"}, Category.OTHER),
        ({"resourceType": "Observation", "category": "garbage"}, Category.OTHER),
        ({"resourceType": "Goal"}, Category.CARE_PLANS),
        ({"resourceType": "Basic"}, Category.OTHER),
    ],
)
def test_category_of_a_resource(resource, category):
    assert categories_of(resource) == {category}


def test_a_granular_scope_reaches_its_own_category_only():
    assert categories_of_scope("Observation", f"{OBSERVATION_CATEGORY}|laboratory") == {Category.TEST_RESULTS}
    assert categories_of_scope("Observation", "made|up") == {Category.OTHER}


def labelled(*codings: tuple[str, str], **extra: object) -> dict:
    security = [{"system": system, "code": code} for system, code in codings]
    return {"resourceType": "Condition", "meta": {"security": security}, **extra}


def coded(system: str, code: str) -> dict:
    return {"code": {"coding": [{"system": system, "code": code}]}}


ICD, SNOMED = "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        (labelled(), set()),
        (labelled((ACT_CODE, "PSY"), (CONFIDENTIALITY, "R")), {"PSY"}),
        (labelled((CONFIDENTIALITY, "R")), {"R"}),
        (labelled((CONFIDENTIALITY, "N")), set()),
        (labelled((ACT_CODE, "42CFRPart2"), (ACT_CODE, "SUD")), {"SUD"}),
        (labelled((ACT_CODE, "SICKLE")), {"SICKLE"}),  # unknown to us: hidden until somebody names it
        (labelled(**coded(ICD, "F10.20")), {"ETH", "SUD"}),
        (labelled(**coded(ICD, "F1")), set()),
        (labelled(**coded(SNOMED, "86406008")), {"HIV"}),
        (labelled(contained=[labelled((ACT_CODE, "STD"))]), {"STD"}),
        (labelled(contained=[coded(SNOMED, "86406008")]), {"HIV"}),
        ({"resourceType": "Condition", "meta": {}, "code": None}, set()),
    ],
)
def test_labels_of_a_resource(resource, labels):
    assert labels_of(resource) == labels


ICD_OID, ACT_OID = "urn:oid:2.16.840.1.113883.6.3", "urn:oid:2.16.840.1.113883.5.4"
CONFIDENTIALITY_OLD = "http://hl7.org/fhir/v3/Confidentiality"


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        ({"resourceType": "Condition", "meta": "garbage"}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": {"code": "HIV"}}}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": ["HIV"]}}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": [{}]}}, {"R"}),
        ({"resourceType": "Condition", "contained": ["garbage"]}, {"R"}),
        (labelled(("", "HIV")), {"HIV"}),
        (labelled((ACT_OID, "HIV")), {"HIV"}),
        (labelled((CONFIDENTIALITY_OLD, "V")), {"V"}),
        (labelled((CONFIDENTIALITY, "r")), {"R"}),
        (labelled(("urn:ehr:sensitivity", "PSYCH")), {"PSYCH"}),
        (labelled(securityLabel=[{"coding": [{"system": ACT_CODE, "code": "HIV"}]}]), {"HIV"}),
        (labelled(securityLabel=[{"text": "very private"}]), {"R"}),
        (labelled(**coded("", "86406008")), {"HIV"}),
        (labelled(**coded(ICD_OID, "b20")), {"HIV"}),
        (labelled(**coded(ICD, "F1020")), {"ETH", "SUD"}),
        (labelled(**coded("http://hl7.org/fhir/sid/icd-10", "B20")), {"HIV"}),
    ],
)
def test_A12_a_label_that_is_odd_or_unknown_closes(resource, labels):
    assert labels_of(resource) == labels


def test_every_value_set_names_labels_that_exist():
    assert all(labels <= set(Label) for labels in labelled_codes().values())


@pytest.mark.skipif(not LABELLED.exists(), reason="the labelled examples are not here")
def test_every_label_that_an_ehr_declared_is_seen():
    """SHIFT's labelled examples: what stands in meta.security is never lost."""
    seen = 0
    for path in sorted(LABELLED.rglob("*.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            resource = json.loads(line)
            declared = {
                c["code"]
                for c in resource.get("meta", {}).get("security", [])
                if c.get("system") == ACT_CODE and c["code"] in set(Label)
            }
            assert declared <= labels_of(resource)
            seen += bool(declared)
    assert seen > 10
