"""`manage.py valuesets_load`: a whole release or nothing, and what each problem is called."""

import gzip
import hashlib
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from consent import valuesets
from consent.labels import SNOMED, labels_of, starter_codes
from consent.valuesets import LabelledCode, ValueSetRelease
from consent.vocabulary import ACT_CODE

pytestmark = pytest.mark.django_db
SENSITIVITY = Path(__file__).resolve().parents[3] / "shared" / "data" / "sensitivity"
URL = "http://sets.example/ValueSet"
ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm"


def value_set(name: str = "asthma", label: str = "HIV", *codes: str, **changes: object) -> dict:
    """A ValueSet of SNOMED CT codes (one that is in no starter set, unless others are given)."""
    coding = {"system": ACT_CODE, "code": label}
    return {
        "resourceType": "ValueSet",
        "url": f"{URL}/{name}",
        "useContext": [{"code": {"code": "focus"}, "valueCodeableConcept": {"coding": [coding]}}],
        "compose": {
            "include": [{"system": SNOMED, "concept": [{"code": c} for c in codes or ["195967001"]]}]
        },
        **changes,
    }


@pytest.fixture
def put(tmp_path):
    """put(resource, …) writes them as a Bundle and tells where."""

    def write(*resources: dict, name: str = "sets.json") -> Path:
        path = tmp_path / name
        content = json.dumps({"resourceType": "Bundle", "entry": [{"resource": r} for r in resources]})
        path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
        return path

    return write


def load(*arguments: object, **options: object) -> str:
    out = io.StringIO()
    call_command("valuesets_load", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def codes():
    return valuesets.codes(valuesets.current_release())


def has(system: str, code: str) -> frozenset[str]:
    return labels_of({"code": {"coding": [{"system": system, "code": code}]}}, codes())


def test_without_a_load_the_starter_set_holds():
    assert valuesets.current_release() == 0
    assert valuesets.codes(0) is starter_codes("US")


def test_a_loaded_code_is_sensitive_beside_those_of_the_starter_set(put):
    told = load(put(value_set()))

    assert has(SNOMED, "195967001") == {"HIV"}
    assert has(SNOMED, "86406008") == {"HIV"}
    assert f"{URL}/asthma  HIV  1 codes" in told
    assert "Release " in told


def test_a_code_that_is_in_both_has_the_labels_of_both(put):
    load(put(value_set("more", "GDIS", "86406008")))

    assert has(SNOMED, "86406008") == {"HIV", "GDIS"}


def test_an_icd_10_code_that_was_loaded_covers_its_subcodes(put):
    include = [{"system": ICD_10, "concept": [{"code": "J45.2"}]}]
    load(put(value_set(compose={"include": include})))

    assert has(ICD_10, "J45.21") == {"HIV"}
    assert has(ICD_10, "J45.9") == frozenset()


def test_what_was_loaded_stands_in_the_log_and_says_where_from(put):
    path = put(value_set("asthma"), value_set("hay-fever", "GDIS", "21719001"), name="sets.json.gz")
    load(path)

    release = ValueSetRelease.objects.get()
    event = AuditEvent.objects.get(type="valuesets:change")
    assert release.files == [
        {"name": "sets.json.gz", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    ]
    assert (release.entries, release.loaded_by) == (2, "System/console")
    assert (event.actor, event.target, event.count, event.detail) == (
        "System/console",
        f"ValueSetRelease/{release.pk}",
        2,
        {"sets": 2},
    )


def test_a_newer_file_replaces_the_sets_that_it_names_and_keeps_the_others(put):
    load(put(value_set("asthma"), value_set("hay-fever", "GDIS", "21719001")))
    before = valuesets.current_release()
    load(put(value_set("asthma", "SEX", "233678006")))

    assert has(SNOMED, "195967001") == frozenset()
    assert has(SNOMED, "233678006") == {"SEX"}
    assert has(SNOMED, "21719001") == {"GDIS"}
    assert ValueSetRelease.objects.get(pk=valuesets.current_release()).entries == 2
    assert ("", "195967001") in valuesets.codes(before)  # a release never changes


def test_a_dry_run_tells_the_same_and_writes_nothing(put):
    told = load(put(value_set()), dry_run=True)

    assert f"{URL}/asthma  HIV  1 codes" in told
    assert "This was a dry run" in told
    assert not ValueSetRelease.objects.exists()
    assert not AuditEvent.objects.filter(type="valuesets:change").exists()


def test_a_set_that_names_no_label_takes_the_one_that_is_given(put):
    load(put(value_set("mine", useContext=[]), value_set("yours", "GDIS", "21719001")), label="SDV")

    assert has(SNOMED, "195967001") == {"SDV"}
    assert has(SNOMED, "21719001") == {"GDIS"}


def test_a_label_that_nobody_knows_cannot_be_given(put):
    with pytest.raises(CommandError, match=r"The label DREAM is not known\. Known: ABORTION, "):
        load(put(value_set()), label="DREAM")


def test_a_single_value_set_is_read_too(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(value_set()))
    load(path)

    assert has(SNOMED, "195967001") == {"HIV"}


def test_an_expansion_counts_with_all_that_it_contains(put):
    inner = {"system": SNOMED, "code": "233678006"}
    contains = [{"system": SNOMED, "code": "1", "abstract": True, "contains": [inner]}]
    is_a = {"system": SNOMED, "filter": [{"property": "concept", "op": "is-a", "value": "195967001"}]}
    load(put(value_set(compose={"include": [is_a]}, expansion={"contains": contains})))

    assert has(SNOMED, "233678006") == {"HIV"}
    assert has(SNOMED, "1") == frozenset()


def test_a_set_includes_others_of_the_same_files_and_a_whole_code_system(put):
    system = {"resourceType": "CodeSystem", "url": "urn:own", "content": "complete"}
    system["concept"] = [{"code": "a", "concept": [{"code": "a1"}]}]
    include = [{"valueSet": [f"{URL}/asthma|1.0"]}, {"system": "urn:own"}]
    load(put(value_set(), system, value_set("both", "GDIS", compose={"include": include})))

    assert has(SNOMED, "195967001") == {"HIV", "GDIS"}
    assert has("urn:own", "a1") == {"GDIS"}


def test_sets_that_include_each_other_end(put):
    def including(name: str, other: str) -> dict:
        includes = [{"valueSet": [f"{URL}/{other}"]}, *value_set()["compose"]["include"]]
        return value_set(name, compose={"include": includes})

    load(put(including("a", "b"), including("b", "a")))

    assert has(SNOMED, "195967001") == {"HIV"}


def test_a_grouping_without_a_label_is_left_to_its_members(put):
    group = value_set("all", useContext=[], compose={"include": [{"valueSet": [f"{URL}/asthma"]}]})
    told = load(put(value_set(), group))

    assert "skipped: it only lists other sets" in told
    assert LabelledCode.objects.count() == 1


def test_a_policy_mark_is_no_label_of_a_code(put):
    mark = {"valueCodeableConcept": {"coding": [{"code": "42CFRPart2"}]}, "code": {"code": "focus"}}
    told = load(put(value_set(useContext=[*value_set(label="SUD")["useContext"], mark])))

    assert has(SNOMED, "195967001") == {"SUD"}
    assert "42CFRPart2 marks where a record comes from" in told


def test_consent2shares_list_is_read(tmp_path):
    concepts = [{"system": SNOMED, "code": "195967001", "display": "Asthma"}]
    path = tmp_path / "c2s.json"
    path.write_text(json.dumps({"value_sets": [{"oid": "2.999.1", "category": "ETH", "concepts": concepts}]}))
    load(path)

    assert has(SNOMED, "195967001") == {"ETH"}
    assert LabelledCode.objects.get().value_set == "urn:oid:2.999.1"


UNUSABLE = [
    ({"useContext": []}, "useContext: it names no label"),
    ({"useContext": [{"code": {"code": "age"}}]}, "useContext: it names no label"),
    ({"compose": {"include": []}}, "compose: it is empty"),
    ({"compose": None}, "compose: it is empty"),
    (
        {"compose": {"include": [{"valueSet": ["urn:gone"]}]}},
        r"include\[0\].valueSet: urn:gone is not in these",
    ),
    ({"compose": {"include": [{"system": SNOMED}]}}, r"include\[0\].system: it takes all of http://snomed"),
    (
        {"compose": {"include": [{"system": SNOMED, "filter": [{"op": "is-a"}]}]}},
        r"include\[0\].filter: filters are not followed",
    ),
    ({"compose": {"include": [{"system": SNOMED, "concept": [{}]}]}}, r"include\[0\].concept: a code or"),
    ({"compose": {"include": [{"concept": [{"code": "1"}]}]}}, r"include\[0\].concept: a code or its system"),
    ({"url": None}, "url: the set  has none"),
]


@pytest.mark.parametrize(("changes", "words"), UNUSABLE)
def test_a_set_that_is_not_whole_is_refused_by_name_and_nothing_is_written(put, changes, words):
    with pytest.raises(CommandError, match=f"sets.json: .*{words}"):
        load(put(value_set("good"), value_set("bad", **changes)))

    assert not ValueSetRelease.objects.exists()
    assert not AuditEvent.objects.filter(type="valuesets:change").exists()


def test_a_label_that_is_not_known_is_refused_by_its_element(put):
    with pytest.raises(
        CommandError, match=r"useContext\[0\].valueCodeableConcept: the label DIS is not known"
    ):
        load(put(value_set("good"), value_set("bad", "DIS")))

    assert not ValueSetRelease.objects.exists()


def test_two_sets_of_one_name_are_refused(put):
    with pytest.raises(CommandError, match=f"{URL}/asthma: url: another set of these files has it too"):
        load(put(value_set(), value_set(label="GDIS")))


def test_what_can_be_loaded_is_loaded_where_that_was_asked_for(put):
    told = load(put(value_set("good"), value_set("bad", "DIS", "21719001")), partial=True)

    assert has(SNOMED, "195967001") == {"HIV"}
    assert has(SNOMED, "21719001") == frozenset()
    assert f"{URL}/bad  (no label)  not loaded\n    skipped: useContext[0]" in told


def test_where_nothing_can_be_loaded_nothing_is(put):
    with pytest.raises(CommandError, match="no set has a label and codes"):
        load(put(value_set("bad", "DIS")), partial=True)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n  "resourceType": }', "sets.json: line 2, column 19: it is no JSON"),
        (b"[]", "sets.json: it is no FHIR resource"),
        (b'{"resourceType": "Patient"}', "sets.json: it holds no ValueSet"),
        (b'{"resourceType": "Bundle", "entry": [{}, 1]}', "sets.json: it holds no ValueSet"),
        (b"\x1f\x8b garbage", r"sets.json: it cannot be read \(BadGzipFile\)"),
        (b'{"\xff": 1}', r"sets.json: it cannot be read \(UnicodeDecodeError\)"),
    ],
)
def test_a_file_that_does_not_parse_is_refused_with_its_line(tmp_path, content, words, partial):
    path = tmp_path / "sets.json"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=words):
        load(path, partial=partial)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"no.json: it cannot be read \(FileNotFoundError\)"):
        load(tmp_path / "no.json")


def test_a_release_of_which_codes_are_missing_labels_nothing(put):
    load(put(value_set("asthma", "HIV", "195967001", "233678006")))
    LabelledCode.objects.filter(code="233678006").delete()

    with pytest.raises(valuesets.IncompleteRelease):
        codes()


def test_a_release_that_nobody_loaded_is_an_error():
    with pytest.raises(ValueSetRelease.DoesNotExist):
        valuesets.codes(4711)


def test_a_release_is_read_from_the_database_once(put, django_assert_num_queries):
    load(put(value_set()))
    release = valuesets.current_release()
    valuesets.codes(release)

    with django_assert_num_queries(0):
        valuesets.codes(release)


@pytest.mark.skipif(not SENSITIVITY.exists(), reason="the value sets are not here")
def test_the_shift_task_forces_bundle_is_loaded_but_for_what_is_not_in_it():
    path = SENSITIVITY / "shift_sls_valuesets.bundle.json.gz"
    with pytest.raises(CommandError, match="AB352GenderAffirmingCareHealthNet: compose: it is empty"):
        load(path)
    told = load(path, partial=True)

    assert has("http://www.nlm.nih.gov/research/umls/rxnorm", "330381") == {"ABORTION", "SEX"}
    assert LabelledCode.objects.values("value_set").distinct().count() >= 25
    assert "the label DIS is not known" in told


@pytest.mark.skipif(not SENSITIVITY.exists(), reason="the value sets are not here")
def test_consent2share_is_loaded_whole():
    load(SENSITIVITY / "c2s_value_sets.json.gz")

    assert ValueSetRelease.objects.get().entries > 5000
    assert LabelledCode.objects.values("value_set").distinct().count() == 55
