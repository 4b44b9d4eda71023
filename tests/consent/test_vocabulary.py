"""The words that consents are made of are total: nothing of a record is left over."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.vocabulary import (
    ACT_CODE,
    CATEGORY_OF_CODE,
    CATEGORY_OF_TYPE,
    CONDITION_CATEGORY,
    CONFIDENTIALITY,
    ELEMENTS_OF,
    FOLLOWING,
    LABELS,
    OBSERVATION_CATEGORY,
    OWN_LABELS,
    TOPICS,
    US_CORE_CATEGORY,
    US_CORE_CLINICAL_TEST,
    US_CORE_CONDITION,
    Category,
    Confidentiality,
    Label,
    categories_of,
    categories_of_scope,
    resource_types_of,
    system_of,
)
from consent.words import CATEGORY, TOPIC
from fhirproxy.served import SERVED
from portal.categories import DETAILS
from smart.resource_types import R4

DEFINITIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "definitions"
US_CORE_DOCUMENT = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
# The granular scopes that ONC (g)(10) asks for, with the code systems of US Core 6.1.
GRANULAR = [
    ("Condition", CONDITION_CATEGORY, "encounter-diagnosis", Category.CONDITIONS),
    ("Condition", CONDITION_CATEGORY, "problem-list-item", Category.CONDITIONS),
    ("Condition", US_CORE_CONDITION, "health-concern", Category.CONDITIONS),
    ("Observation", OBSERVATION_CATEGORY, "laboratory", Category.TEST_RESULTS),
    ("Observation", OBSERVATION_CATEGORY, "vital-signs", Category.VITAL_SIGNS),
    ("Observation", OBSERVATION_CATEGORY, "social-history", Category.SOCIAL_HISTORY),
    ("Observation", US_CORE_CATEGORY, "sdoh", Category.SOCIAL_HISTORY),
    ("Observation", OBSERVATION_CATEGORY, "survey", Category.SURVEYS),
    ("Observation", US_CORE_CATEGORY, "clinical-test", Category.TEST_RESULTS),
    ("Observation", US_CORE_CLINICAL_TEST, "clinical-test", Category.TEST_RESULTS),
]


def coded(resource_type: str, system: str, code: str) -> dict:
    category = [{"coding": [{"system": system, "code": code}]}]
    return {"resourceType": resource_type, "category": category}


def observation(category: str) -> dict:
    return coded("Observation", OBSERVATION_CATEGORY, category)


def test_every_category_and_every_topic_has_its_words():
    assert set(CATEGORY) == set(Category)
    assert set(DETAILS) == set(Category)
    assert set(TOPIC) == {topic.code for topic in TOPICS}


def test_every_label_is_in_exactly_one_private_topic():
    named = [label for topic in TOPICS for label in topic.labels]

    assert sorted(named) == sorted(LABELS)
    assert set(LABELS) == set(Label) | set(OWN_LABELS)


def test_every_label_says_which_code_system_it_is_of():
    assert {label: system_of(label) for label in LABELS if not system_of(label)} == {}
    assert system_of("HIV") == system_of("42CFRPart2") == ACT_CODE
    assert {system_of(level) for level in Confidentiality} == {CONFIDENTIALITY}
    assert "AB352" in system_of("ABORTION")
    assert system_of("MADE_UP") == ""


def test_every_type_of_r4_has_a_place():
    assert {t for t in R4 if t not in CATEGORY_OF_TYPE and t not in CATEGORY_OF_CODE} == set()
    assert set(CATEGORY_OF_TYPE) | set(CATEGORY_OF_CODE) == R4


def test_every_category_is_found_somewhere():
    for category in Category:
        assert resource_types_of(category), category


@pytest.mark.parametrize("resource_type", sorted(R4 - FOLLOWING))
def test_what_a_scope_reaches_covers_what_its_resources_are(resource_type):
    resource = {"resourceType": resource_type}
    assert categories_of(resource) <= categories_of_scope(resource_type)
    for (system, code), category in CATEGORY_OF_CODE.get(resource_type, {}).items():
        assert categories_of(coded(resource_type, system, code)) == {category}
        assert categories_of_scope(resource_type, f"{system}|{code}") == {category}
        assert category in categories_of_scope(resource_type)


def test_what_is_served_is_of_r4():
    assert set(SERVED) <= R4


@pytest.mark.parametrize(
    ("resource", "category"),
    [
        (observation("laboratory"), Category.TEST_RESULTS),
        (observation("vital-signs"), Category.VITAL_SIGNS),
        (observation("made-up"), Category.OTHER),
        ({"resourceType": "Observation"}, Category.OTHER),
        ({"resourceType": "Observation", "category": "garbage"}, Category.OTHER),
        ({"resourceType": "Condition"}, Category.CONDITIONS),
        (coded("Condition", "made", "up"), Category.CONDITIONS),
        (coded("DocumentReference", US_CORE_DOCUMENT, "clinical-note"), Category.NOTES),
        ({"resourceType": "Goal"}, Category.CARE_PLANS),
        ({"resourceType": "AuditEvent"}, Category.PRIVACY),
        ({"resourceType": "Patient"}, Category.DEMOGRAPHICS),
        ({"resourceType": "Basic"}, Category.OTHER),
        ({"resourceType": "NoSuchType"}, Category.OTHER),
        ({}, Category.OTHER),
    ],
)
def test_category_of_a_resource(resource, category):
    assert categories_of(resource) == {category}


def test_a_resource_with_two_categories_belongs_to_both():
    resource = observation("survey")
    resource["category"] += coded("Observation", US_CORE_CATEGORY, "sdoh")["category"]

    assert categories_of(resource) == {Category.SURVEYS, Category.SOCIAL_HISTORY}


@pytest.mark.parametrize(("resource_type", "system", "code", "category"), GRANULAR)
def test_every_granular_scope_of_onc_reaches_its_own_category_only(resource_type, system, code, category):
    assert categories_of(coded(resource_type, system, code)) == {category}
    assert categories_of_scope(resource_type, f"{system}|{code}") == {category}
    assert categories_of_scope(resource_type, code) == {category}


def test_a_scope_of_a_value_that_nobody_knows_counts_as_its_type_does():
    assert categories_of_scope("Observation", "made|up") == {Category.OTHER}
    assert categories_of_scope("Condition", "made|up") == {Category.CONDITIONS}


def test_contact_is_a_part_of_records_and_no_type_belongs_to_it():
    assert Category.CONTACT not in CATEGORY_OF_TYPE.values()
    for part, types in ELEMENTS_OF.items():
        for resource_type in types:
            assert {part, CATEGORY_OF_TYPE[resource_type]} <= categories_of_scope(resource_type)
            assert resource_type in resource_types_of(part)
    assert categories_of_scope("Patient") == {Category.DEMOGRAPHICS, Category.CONTACT}


@pytest.mark.skipif(not DEFINITIONS.exists(), reason="the definitions are not here")
def test_every_element_that_a_part_governs_is_one_of_its_type():
    bundle = json.loads(gzip.decompress((DEFINITIONS / "r4" / "profiles-resources.json.gz").read_bytes()))
    definitions = {e["resource"]["id"]: e["resource"] for e in bundle["entry"]}
    for types in ELEMENTS_OF.values():
        for resource_type, elements in types.items():
            paths = {e["path"] for e in definitions[resource_type]["snapshot"]["element"]}
            assert {f"{resource_type}.{element}" for element in elements} <= paths


def us_core_categories() -> Iterator[tuple[str, str, str]]:
    """(type, system, code) of every category that US Core 6.1 binds or fixes, as far as it lists codes."""
    folder = DEFINITIONS / "us-core-6.1.0"
    systems = {r["url"]: [c["code"] for c in r["concept"]] for r in lines(folder / "CodeSystem.ndjson.gz")}
    value_sets = {r["url"]: r["compose"]["include"] for r in lines(folder / "ValueSet.ndjson.gz")}
    for definition in lines(folder / "StructureDefinition.ndjson.gz"):
        for element in definition["snapshot"]["element"]:
            if element["path"] != f"{definition['type']}.category":
                continue
            for coding in element.get("patternCodeableConcept", {}).get("coding", []):
                yield definition["type"], coding["system"], coding["code"]
            for include in value_sets.get(element.get("binding", {}).get("valueSet"), []):
                system = include.get("system", "")
                listed = [c["code"] for c in include.get("concept", [])] or systems.get(system, [])
                yield from ((definition["type"], system, code) for code in listed)


def lines(path: Path) -> Iterator[dict]:
    yield from map(json.loads, gzip.decompress(path.read_bytes()).splitlines())


@pytest.mark.skipif(not DEFINITIONS.exists(), reason="the definitions are not here")
def test_every_category_of_us_core_is_known():
    named = set(us_core_categories())

    assert len(named) >= 25
    for resource_type, system, code in sorted(named):
        found = categories_of(coded(resource_type, system, code))
        assert Category.OTHER not in found, (resource_type, system, code)
        if by_code := CATEGORY_OF_CODE.get(resource_type):
            assert (system, code) in by_code
