"""manage.py fhirstore_load: real files in, nothing lost without a word."""

import gzip
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.fhirstore.calls import bundle, call, entry, get, observation, patient, put

pytestmark = pytest.mark.django_db

ALICE_ID = "0f7e3c1c-0000-4000-8000-000000000001"
ALICE = f"urn:uuid:{ALICE_ID}"
NPI = "http://hl7.org/fhir/sid/us-npi"
OSEI = {"resourceType": "Practitioner", "id": "osei", "identifier": [{"system": NPI, "value": "1"}]}


class Load:
    """What one run of the command said, and its exit code."""

    def __init__(self, *paths: Path, **options: object) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.code = 0
        try:
            call_command("fhirstore_load", *paths, stdout=out, stderr=err, **options)
        except SystemExit as exit_:
            self.code = exit_.code
        self.out, self.rejects = out.getvalue(), err.getvalue().splitlines()


def write(path: Path, *documents: object) -> Path:
    """One document, or NDJSON for a name that says so; gzip too."""
    text = "\n".join(json.dumps(each) if not isinstance(each, str) else each for each in documents).encode()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def small_record() -> dict:
    return bundle(
        "transaction",
        entry("POST", "Patient", patient(ALICE_ID), ALICE),
        entry("POST", "Observation", observation("o1", subject={"reference": ALICE}), "urn:uuid:o1"),
    )


def versions() -> dict[str, str]:
    found = [e["resource"] for kind in ("Patient", "Observation") for e in get(kind).json.get("entry", [])]
    return {each["id"]: each["meta"]["versionId"] for each in found}


def test_a_transaction_bundle_keeps_its_ids_and_its_references(tmp_path):
    load = Load(write(tmp_path / "alice.json.gz", small_record()))

    assert (load.code, load.rejects) == (0, [])
    assert "Observation: 1 created" in load.out
    assert get("Observation/o1").json["subject"]["reference"] == f"Patient/{ALICE_ID}"


def test_loading_twice_changes_nothing(tmp_path):
    file = write(tmp_path / "alice.json", small_record())
    Load(file)
    before = get("Observation/o1").body

    load = Load(file)

    assert load.code == 0
    assert "Observation: 1 unchanged" in load.out
    assert get("Observation/o1").body == before
    assert versions() == {ALICE_ID: "1", "o1": "1"}


def test_two_files_that_tell_the_same_resource_differently_settle(tmp_path):
    write(tmp_path / "a.json", patient(active=True))
    write(tmp_path / "b.json", patient(active=False))
    Load(tmp_path)
    assert versions() == {"alice": "2"}

    Load(tmp_path)

    assert versions() == {"alice": "2"}


def test_a_later_change_is_not_undone_by_loading_again_and_a_deletion_is(tmp_path):
    write(tmp_path / "a.ndjson", patient(), patient("bob"))
    Load(tmp_path)
    put(patient(active=True))
    call("DELETE", "Patient/bob")

    Load(tmp_path)

    assert get("Patient/alice").json["active"] is True
    assert get("Patient/bob").status == 200


def test_a_changed_file_makes_a_version(tmp_path):
    Load(write(tmp_path / "a.json", patient()))
    load = Load(write(tmp_path / "a.json", patient(active=True)))
    assert "Patient: 1 updated" in load.out


@pytest.mark.parametrize("kind", ["batch", "collection", "searchset"])
def test_other_bundles_of_resources_are_opened(tmp_path, kind):
    Load(write(tmp_path / "b.json", bundle(kind, {"resource": patient()}, {"resource": patient("bob")})))
    assert sorted(get("Patient").ids) == ["alice", "bob"]


def test_a_document_bundle_is_a_resource(tmp_path):
    document = bundle("document", {"resource": patient(), "fullUrl": ALICE}) | {"id": "doc"}
    Load(write(tmp_path / "d.json", document))

    assert get("Bundle").ids == ["doc"]
    assert get("Bundle/doc").json["entry"][0]["fullUrl"] == ALICE
    assert get("Patient").ids == []


def test_remarks_in_a_searchset_are_left_out(tmp_path):
    remark = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    load = Load(write(tmp_path / "s.json", bundle("searchset", {"resource": patient()}, remark)))
    assert load.code == 0
    assert get("OperationOutcome").ids == []


def test_a_resource_without_an_id_gets_the_same_one_each_time(tmp_path):
    file = write(tmp_path / "p.json", {"resourceType": "Patient", "active": True})
    Load(file)
    Load(file)
    assert len(versions()) == 1


def test_what_others_refer_to_may_come_later(tmp_path):
    reading = observation("o1", performer=[{"reference": f"Practitioner?identifier={NPI}|1"}])
    write(tmp_path / "a.json", bundle("transaction", entry("POST", "Observation", reading)))
    write(tmp_path / "z.json", OSEI)

    load = Load(tmp_path)

    assert load.rejects == []
    assert get("Observation/o1").json["performer"] == [{"reference": "Practitioner/osei"}]


def test_a_urn_of_another_file_is_found(tmp_path):
    write(
        tmp_path / "a.json",
        bundle("collection", {"resource": observation("o1", subject={"reference": ALICE})}),
    )
    write(tmp_path / "b.json", bundle("collection", {"resource": patient(ALICE_ID), "fullUrl": ALICE}))

    assert Load(tmp_path).code == 0
    assert get(f"Observation?patient={ALICE_ID}").ids == ["o1"]


def test_hospitals_and_practitioners_go_first(tmp_path):
    reading = observation("o1", performer=[{"reference": f"Practitioner?identifier={NPI}|1"}])
    write(tmp_path / "a.json", bundle("transaction", entry("POST", "Observation", reading)))
    write(tmp_path / "zz_practitioners.json", OSEI)

    assert Load(tmp_path).code == 0
    assert (
        get("Practitioner/osei").json["meta"]["lastUpdated"]
        <= get("Observation/o1").json["meta"]["lastUpdated"]
    )


def test_if_none_exist_takes_what_is_there(tmp_path):
    put(OSEI)
    other = {"resourceType": "Practitioner", "id": "another", "identifier": OSEI["identifier"]}
    reading = observation("o1", performer=[{"reference": "urn:uuid:d"}])
    record = bundle(
        "batch",
        entry("POST", "Practitioner", other, "urn:uuid:d", ifNoneExist=f"identifier={NPI}|1"),
        entry("POST", "Observation", reading),
    )

    Load(write(tmp_path / "b.json", record))

    assert get("Practitioner").ids == ["osei"]
    assert get("Observation/o1").json["performer"] == [{"reference": "Practitioner/osei"}]


@pytest.mark.parametrize("ids", [{}, {"id": "b"}])
def test_of_two_entries_with_one_full_url_the_second_is_rejected(tmp_path, ids):
    """It would be another patient under the name, and the id, of the first."""
    second = {"resourceType": "Patient", "gender": "male", **ids}
    record = small_record()
    record["entry"].insert(1, entry("POST", "Patient", second, ALICE))
    file = write(tmp_path / "b.json", record)

    load = Load(file)

    told = f"Rejected: {file}: entry 2: Patient: another entry of its file has the same fullUrl"
    assert load.rejects == [told]
    assert versions() == {ALICE_ID: "1", "o1": "1"}
    assert get("Observation/o1").json["subject"]["reference"] == f"Patient/{ALICE_ID}"


def test_a_bundle_with_broken_references_loses_those_entries_only_and_names_them(tmp_path):
    record = bundle(
        "transaction",
        entry("POST", "Patient", patient(ALICE_ID), ALICE),
        entry("POST", "Observation", observation("o1", subject={"reference": "urn:uuid:nobody"})),
        entry("POST", "Observation", observation("o2", subject={"reference": "Patient?identifier=none"})),
        entry("POST", "Observation", observation("o3", subject={"reference": ALICE})),
    )
    file = write(tmp_path / "b.json", record)

    load = Load(file)

    assert load.code == 1
    assert load.rejects == [
        f"Rejected: {file}: entry 2: Observation: a reference to a urn that no entry of its file, "
        "and no resource loaded, stands for",
        f"Rejected: {file}: entry 3: Observation: a conditional reference fits no resource (Patient)",
    ]
    assert sorted(versions()) == [ALICE_ID, "o3"]


def test_each_bad_line_is_named_and_the_rest_is_kept(tmp_path):
    file = write(
        tmp_path / "o.ndjson",
        patient(),
        "{broken",
        "",
        {"resourceType": "Unicorn"},
        observation("o1", effectiveDateTime="soon"),
        observation("o2"),
        patient("a b"),
    )
    rejects = tmp_path / "rejects.ndjson"

    load = Load(file, rejects=rejects)

    assert load.code == 1
    assert sorted(versions()) == ["alice", "o2"]
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert {each["place"] for each in told} == {"line 2", "line 4", "line 5", "line 7"}
    assert all(each["file"] == str(file) and each["reason"] for each in told)
    assert len(load.rejects) == 4
    assert "4 rejected" in load.out


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"not json", "a.json: The file is not JSON: "),
        ("a.json", b"", "a.json: The file is not JSON: "),
        ("a.json", b'{"resourceType":"Bundle","type":"collection","entry":{}}', "its entry is not a list"),
        ("a.json.gz", b"not gzip", "the gzip data are broken"),
        ("a.ndjson.gz", gzip.compress(b"{}" * 9999, mtime=0)[:40], "the gzip data are broken"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)

    load = Load(tmp_path / name)

    assert load.code == 2
    assert name in load.rejects[0]
    assert reason in load.rejects[0]


def test_a_folder_without_fhir_files_says_so(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")

    with pytest.raises(CommandError, match=f"There is no FHIR file in {tmp_path}: ") as told:
        call_command("fhirstore_load", tmp_path)
    assert told.value.returncode == 2


def test_a_path_that_is_not_there_is_named_and_the_others_are_loaded(tmp_path):
    missing = tmp_path / "nowhere"
    load = Load(missing, write(tmp_path / "a.json", patient()))

    assert load.code == 1
    assert load.rejects == [f"Rejected: {missing}: there is no such file or folder"]
    assert Load(missing).code == 2


def test_files_of_other_kinds_in_a_folder_are_left_out_with_a_word(tmp_path):
    write(tmp_path / "a.json", patient())
    (tmp_path / "readme.txt").write_text("hello")

    assert "Files left out: 1" in Load(tmp_path).out


def test_entries_that_are_no_resources_to_keep_are_rejected(tmp_path):
    odd_method = {"resource": patient(), "request": {"method": {}}}
    delete = entry("DELETE", "Patient/x", patient())
    record = bundle("batch", delete, {"request": {}}, "odd", odd_method)
    load = Load(write(tmp_path / "b.json", record))
    assert load.code == 2
    assert len(load.rejects) == 4


def test_a_resource_that_is_not_r4_is_named_with_its_file_entry_path_and_cure(tmp_path):
    bad = observation("o2", status="done")
    records = bundle("collection", {"resource": patient()}, {"resource": bad})

    load = Load(write(tmp_path / "alice.json", records))

    assert load.code == 1
    (reject,) = load.rejects
    assert "alice.json: entry 2: Observation" in reject
    assert "Observation.status: The codes of observation-status are: amended, cancelled" in reject
    assert get("Patient/alice").status == 200
    assert get("Observation/o2").status == 404


def test_check_says_what_would_be_rejected_and_keeps_nothing(tmp_path):
    records = bundle("collection", {"resource": patient()}, {"resource": observation("o1", status="done")})

    load = Load(write(tmp_path / "alice.json", records), check=True)

    assert load.code == 1
    assert "entry 2" in load.rejects[0]
    assert "nothing of this was kept" in load.out
    assert get("Patient/alice").status == 404


def test_a_reference_to_the_wrong_type_is_taken_and_told(tmp_path):
    load = Load(write(tmp_path / "o1.json", observation("o1", subject={"reference": "Practitioner/1"})))

    assert load.code == 0
    assert "R4 does not have it so: Observation.subject.reference (1)" in load.out
    assert get("Observation/o1").status == 200


def test_as_is_takes_what_is_not_quite_r4(tmp_path):
    load = Load(write(tmp_path / "o1.json", observation("o1", status="done")), as_is=True)

    assert (load.code, load.rejects) == (0, [])
    assert get("Observation/o1").json["status"] == "done"
