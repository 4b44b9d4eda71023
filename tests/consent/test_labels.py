"""What makes a resource sensitive, and what happens to all that is odd: it closes."""

import pytest

from consent.files import BadFile
from consent.labels import ICD_10, LONG_CODES, SNOMED, VALUE_SETS, labels_of, marks_of, merged, starter_codes
from consent.vocabulary import ACT_CODE, CONFIDENTIALITY, LABELS

STARTER = starter_codes("US")
ICD_OID, ACT_OID = "urn:oid:2.16.840.1.113883.6.3", "urn:oid:2.16.840.1.113883.5.4"
CONFIDENTIALITY_OLD = "http://hl7.org/fhir/v3/Confidentiality"
PART_2 = (ACT_CODE, "42CFRPart2")


def labelled(*codings: tuple[str, str], **extra: object) -> dict:
    security = [{"system": system, "code": code} for system, code in codings]
    return {"resourceType": "Condition", "meta": {"security": security}, **extra}


def coded(system: str, code: str) -> dict:
    return {"code": {"coding": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        (labelled(), set()),
        (labelled((ACT_CODE, "PSY"), (CONFIDENTIALITY, "R")), {"PSY"}),
        (labelled((CONFIDENTIALITY, "R")), {"R"}),
        (labelled((CONFIDENTIALITY, "N")), set()),
        (labelled((ACT_CODE, "ABORTION")), {"ABORTION"}),
        (labelled(**coded(ICD_10, "F10.20")), {"ETH", "SUD"}),
        (labelled(**coded(ICD_10, "F1")), set()),
        (labelled(**coded(SNOMED, "86406008")), {"HIV"}),
        (labelled((CONFIDENTIALITY, "R"), **coded(SNOMED, "86406008")), {"HIV"}),
        (labelled(contained=[labelled((ACT_CODE, "STD"))]), {"STD"}),
        (labelled(contained=[coded(SNOMED, "86406008")]), {"HIV"}),
        (labelled(reasonCode=[{"coding": [{"system": SNOMED, "code": "86406008"}]}]), {"HIV"}),
        ({"resourceType": "Condition", "meta": {}, "code": None}, set()),
        ({}, set()),
    ],
)
def test_labels_of_a_resource(resource, labels):
    assert labels_of(resource, STARTER) == labels


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        (labelled((ACT_CODE, "MADE_UP")), {"MADE_UP"}),  # unknown to us: hidden until somebody names it
        ({"resourceType": "Condition", "meta": "garbage"}, {"R"}),
        ({"resourceType": "Condition", "meta": None}, {"R"}),
        ({"resourceType": "Condition", "meta": []}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": {"code": "HIV"}}}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": None}}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": ["HIV"]}}, {"R"}),
        ({"resourceType": "Condition", "meta": {"security": [{}]}}, {"R"}),
        ({"resourceType": "Condition", "contained": ["garbage"]}, {"R"}),
        (labelled(("", "HIV")), {"HIV"}),
        (labelled((ACT_OID, "HIV")), {"HIV"}),
        (labelled((CONFIDENTIALITY_OLD, "V")), {"V"}),
        (labelled((CONFIDENTIALITY, "r")), {"R"}),
        (labelled((ACT_CODE, "abortion")), {"ABORTION"}),
        (labelled(("urn:ehr:sensitivity", "PSYCH")), {"PSYCH"}),
        (labelled(securityLabel=[{"coding": [{"system": ACT_CODE, "code": "HIV"}]}]), {"HIV"}),
        (labelled(securityLabel=[{"text": "very private"}]), {"R"}),
        (labelled(securityLabel={"coding": [{"code": "HIV"}]}), {"R"}),
        (labelled(confidentiality="V"), {"V"}),  # of a Composition
        (labelled(confidentiality="N"), set()),
        (labelled(confidentiality=["R"]), {"R"}),
        (labelled(**coded("", "86406008")), {"HIV"}),
        (labelled(code={"coding": [{"code": "B20"}]}), {"HIV"}),
        (labelled(code={"coding": [{"system": {"odd": 1}, "code": "B20"}]}), {"HIV"}),
        (labelled(code=[[{"system": SNOMED, "code": "86406008"}]]), {"HIV"}),
        (labelled(**coded(ICD_OID, "b20")), {"HIV"}),
        (labelled(**coded(ICD_10, "F1020")), {"ETH", "SUD"}),
        (labelled(**coded("http://hl7.org/fhir/sid/icd-10", "B20")), {"HIV"}),
        (labelled(**coded("http://snomed.info/sct/731000124108", "86406008")), {"HIV"}),
        (labelled(**coded(f"{SNOMED}/", "86406008")), {"HIV"}),
        (labelled(**coded(f" {ICD_10}|2026 ", "B20")), {"HIV"}),
    ],
)
def test_A12_a_label_that_is_odd_or_unknown_closes(resource, labels):
    assert labels_of(resource, STARTER) == labels


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        (labelled(PART_2), {"SUD"}),
        (labelled(PART_2, (CONFIDENTIALITY, "R")), {"SUD"}),
        (labelled(PART_2, (ACT_CODE, "SUD")), {"SUD"}),
        (labelled(PART_2, (ACT_CODE, "OPIOIDUD")), {"OPIOIDUD"}),
        (labelled(PART_2, (ACT_CODE, "HIV")), {"HIV", "SUD"}),
        (labelled(PART_2, **coded(SNOMED, "86406008")), {"HIV", "SUD"}),
        (labelled(contained=[labelled(("", "42cfrpart2"))]), {"SUD"}),
    ],
)
def test_what_42_cfr_part_2_protects_counts_as_substance_use(resource, labels):
    assert labels_of(resource, STARTER) == labels
    assert marks_of(resource) == {"42CFRPart2"}


@pytest.mark.parametrize(
    "resource",
    [labelled(), labelled((ACT_CODE, "SUD")), {"meta": "garbage"}, {"contained": ["garbage"]}, {}],
)
def test_what_bears_no_mark_has_none(resource):
    assert marks_of(resource) == frozenset()


def test_a_mark_in_a_security_label_is_seen():
    document = {"resourceType": "DocumentReference", "securityLabel": [{"coding": [{"code": "42CFRPart2"}]}]}

    assert marks_of(document) == {"42CFRPart2"}


def test_a_bundle_has_the_labels_of_its_entries():
    entries = [{"resource": labelled((ACT_CODE, "HIV"))}, {"resource": labelled((CONFIDENTIALITY, "R"))}]

    assert labels_of({"resourceType": "Bundle", "entry": entries}, STARTER) == {"HIV"}


def test_a_consent_is_as_private_as_what_it_speaks_of():
    """Its R and N say which records it is about, and nothing of the consent itself."""
    spoken = [{"system": CONFIDENTIALITY, "code": "R"}, {"system": ACT_CODE, "code": "HIV"}]
    consent = {"resourceType": "Consent", "provision": {"securityLabel": spoken}}

    assert labels_of(consent, STARTER) == {"HIV"}
    consent["provision"]["securityLabel"] = spoken[:1]
    assert labels_of(consent, STARTER) == frozenset()


@pytest.mark.parametrize(
    ("code", "covered"),
    [("F10", True), ("F10.20", True), ("F1", False), ("T40.0X1A", True), ("T40.4", True), ("T40.8", False)],
)
def test_an_icd_10_code_covers_its_subcodes(code, covered):
    assert bool(labels_of(coded(ICD_10, code), STARTER)) is covered


def test_hl7s_short_codes_need_their_system():
    service = "http://terminology.hl7.org/CodeSystem/service-category"

    assert labels_of({"serviceCategory": [{"coding": [{"system": service, "code": "22"}]}]}, STARTER)
    assert labels_of({"serviceCategory": [{"coding": [{"code": "22"}]}]}, STARTER) == frozenset()


@pytest.mark.parametrize("document", ["28628-6", "34865-6", "34857-3", "74264-3", "68656-8"])
def test_a_document_is_known_by_its_type(document):
    kind = {"coding": [{"system": "http://loinc.org", "code": document}]}

    assert labels_of({"resourceType": "DocumentReference", "type": kind}, STARTER)


def test_a_code_of_two_sets_has_the_labels_of_both():
    codes = merged([(SNOMED, "1", ["HIV"]), (SNOMED, "1", ["SEX"])])

    assert codes == {(SNOMED, "1"): {"HIV", "SEX"}, ("", "1"): {"HIV", "SEX"}}


# The starter set


def test_the_starter_set_speaks_of_every_label_of_the_issue():
    named = frozenset().union(*starter_codes("US").values())

    assert named == {"ETH", "SUD", "OPIOIDUD", "PSY", "PSYTHPN", "BH", "SEX", "STD", "HIV", "GDIS", "SDV"}


def test_a_jurisdictions_own_labels_hold_there_only():
    own = {"ABORTION", "GENDER_AFFIRMING_CARE", "CONTRACEPTION"}

    assert frozenset().union(*starter_codes("US-CA").values()) >= own
    assert not frozenset().union(*starter_codes("US").values()) & own
    assert labels_of(coded(ICD_10, "Z33.2"), starter_codes("US-CA")) == {"SEX", "ABORTION"}


def test_what_california_labels_is_private_everywhere():
    """Only the name is California's."""
    for system, code in starter_codes("US-CA"):
        assert labels_of(coded(system, code), STARTER), (system, code)


def test_no_code_is_empty_or_without_a_system():
    assert all(code and labels <= LABELS for (_, code), labels in STARTER.items())
    assert {code for system, code in STARTER if system == ""} <= {
        code for system, code in STARTER if system in LONG_CODES
    }


SET = '[[set]]\nlabels = ["{}"]\nsystem = "http://snomed.info/sct"\ncodes = ["1"]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[set]]\nlabels = ["HIV"]\nsystem =\n', "hiv.toml, line 3: Invalid value"),
        ('[[set]]\nlabels = ["HIV"', "hiv.toml, line 2: Unclosed array"),
        (SET.format("HIV") + "\n" + SET.format("HVI"), "hiv.toml, line 7: the label HVI is not known"),
        ('[[set]]\nlabels = ["HIV"]\ncodes = []\n', "hiv.toml: set 1 has no system"),
    ],
)
def test_a_value_set_that_does_not_parse_stops_the_start_with_its_line(tmp_path, text, words):
    (tmp_path / "hiv.toml").write_text(text)

    with pytest.raises(BadFile, match=words):
        starter_codes("US", tmp_path)


def test_a_value_set_that_is_no_text_stops_the_start(tmp_path):
    (tmp_path / "hiv.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(BadFile, match=r"hiv\.toml: it cannot be read"):
        starter_codes("US", tmp_path)


def test_another_jurisdictions_file_is_read_all_the_same(tmp_path):
    (tmp_path / "far.toml").write_text('jurisdiction = "US-XX"\n' + SET.format("HVI"))

    with pytest.raises(BadFile, match="HVI is not known"):
        starter_codes("US", tmp_path)
    assert VALUE_SETS.is_dir()
