"""Every quirk of ../shared/data/multi_ehr, with small records of our own: what each fake does, and that it
does not matter. The contract suite asks every shape for everything; here each quirk has a name."""

import json

import pytest

from fhirproxy.models import Source
from tests.ehr import cast
from tests.ehr.conftest import Fake
from tests.ehr.records import NOTE, record
from tests.ehr.shapes import SHAPES

pytestmark = pytest.mark.django_db
VENDORS = ["epic_like", "oracle_like", "athena_like"]


@pytest.fixture
def at(fake: Fake):
    """An app at the base of an EHR of a shape, with Alice's and Mallory's records, and more of Alice's."""

    def open_(shape: str, *more: dict) -> cast.App:
        mine = record(shape, "alice", fake.url(shape))
        fake.load(shape, [*mine, *record(shape, "mallory", fake.url(shape)), *more])
        return cast.app(fake.source(shape), str(mine[0]["id"]))

    return open_


def raw(fake: Fake, shape: str, path: str) -> dict:
    """What the EHR itself says, without us."""
    return json.loads(fake.http.request("GET", f"{fake.url(shape)}/{path}").data)


def ident(shape: str, kind: str, name: str) -> str:
    return SHAPES[shape].ident(kind, name)


def test_an_id_may_be_longer_than_64_characters(at, fake):
    app = at("epic_like")
    lab = ident("epic_like", "Observation", "alice-o1")
    assert len(lab) > 64

    assert app.get(f"Observation/{lab}").json()["id"] == lab
    assert app.get(f"Observation/{ident('epic_like', 'Observation', 'mallory-o1')}").status_code == 404


@pytest.mark.parametrize("shape", SHAPES)
def test_page_links_of_every_form_are_followed_and_never_shown(at, fake, shape):
    app = at(shape)
    theirs = raw(fake, shape, f"Observation?patient={app.patient_id}&category=laboratory&_count=2")["link"]
    assert theirs[0]["relation"] == "next"

    entries, content = app.follow("Observation?category=laboratory&_count=2")

    assert len(entries) == 5
    assert fake.base.encode() not in content


@pytest.mark.parametrize(
    ("shape", "kind", "count"),
    [
        ("epic_like", "Observation", 7),
        ("oracle_like", "Condition", 1),
        ("athena_like", "MedicationRequest", 1),
        ("athena_like", "Observation", 7),
    ],
)
def test_a_search_that_must_say_a_category_or_an_intent_says_all(at, fake, shape, kind, count):
    app = at(shape)
    assert raw(fake, shape, f"{kind}?patient={app.patient_id}")["resourceType"] == "OperationOutcome"

    assert len(app.follow(kind)[0]) == count


def test_an_outcome_among_the_matches_is_no_match(at, fake):
    app = at("epic_like")
    theirs = raw(fake, "epic_like", f"Condition?patient={app.patient_id}")["entry"]
    assert [entry["resource"]["resourceType"] for entry in theirs] == ["Condition", "OperationOutcome"]

    assert [e["resource"]["resourceType"] for e in app.follow("Condition")[0]] == ["Condition"]


def test_a_resource_without_meta_stays_without(at):
    app = at("epic_like")
    [condition] = [entry["resource"] for entry in app.follow("Condition")[0]]
    assert "meta" not in condition

    answer = app.get(f"Condition/{condition['id']}")
    assert (answer.status_code, answer.has_header("ETag")) == (200, False)


@pytest.mark.parametrize("shape", ["oracle_like", "athena_like"])
def test_no_total_is_needed_and_none_is_told(at, fake, shape):
    app = at(shape)
    assert "total" not in raw(fake, shape, f"AllergyIntolerance?patient={app.patient_id}")

    assert "total" not in app.get("AllergyIntolerance").json()


def test_a_code_under_an_oid_has_the_name_that_labels_know(at, fake):
    """Alcohol use, under SNOMED's OID: sensitive all the same."""
    sensitive = {
        "resourceType": "Condition",
        "id": "77",
        "category": [{"coding": [{"code": "problem-list-item"}]}],
        "code": {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.96", "code": "7200002"}]},
        "subject": {"reference": f"Patient/{ident('oracle_like', 'Patient', 'alice-p')}"},
    }
    app = at("oracle_like", sensitive)

    answer = app.get("Condition/77")

    assert answer.json()["code"]["coding"][0]["system"] == "http://snomed.info/sct"
    security = app.get("Condition").json()["meta"]["security"]
    assert "R" in {label["code"] for label in security}


@pytest.mark.parametrize(("shape", "link"), [("epic_like", "relative"), ("oracle_like", "absolute")])
def test_an_attachment_behind_either_link_is_its_patients(at, fake, shape, link):
    app = at(shape)
    document = app.follow("DocumentReference")[0][0]["resource"]
    assert document["content"][0]["attachment"]["url"].startswith("http") == (link == "absolute")

    mine = app.get(f"Binary/{ident(shape, 'Binary', 'alice-n')}")

    assert (mine.status_code, mine.content) == (200, NOTE + b"alice")
    assert app.get(f"Binary/{ident(shape, 'Binary', 'mallory-n')}").status_code == 404


def test_values_with_blanks_before_them_and_a_placeholder_stay_as_they_were_sent(at):
    """We do not guess what an EHR means: `Not on File` is for pages to put into words."""
    alice = {"reference": f"Patient/{ident('epic_like', 'Patient', 'alice-p')}"}
    odd = {
        "resourceType": "AllergyIntolerance",
        "id": "odd",
        "code": {"text": "Not on File"},
        "note": [{"text": "  two blanks"}],
        "patient": alice,
    }
    app = at("epic_like", odd)

    assert app.get("AllergyIntolerance/odd").json() == odd


class TestMerged:
    """A record that the EHR merged into another: `active` false, and a link that says into which."""

    @pytest.fixture(params=VENDORS)
    def merged(self, request, fake) -> cast.App:
        shape = request.param
        old, new = (ident(shape, "Patient", name) for name in ("alice-p", "mallory-p"))
        fake.load(shape, [*record(shape, "alice", fake.url(shape)), *record(shape, "mallory", "")])
        link = {"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}
        fake.load(shape, [{"resourceType": "Patient", "id": old, "active": False, "link": [link]}])
        return cast.app(fake.source(shape), old)

    def test_it_is_read_as_it_is_and_its_survivor_is_not_followed(self, merged, fake):
        answer = merged.get(f"Patient/{merged.patient_id}")

        assert (answer.status_code, answer.json()["active"]) == (200, False)
        survivor = answer.json()["link"][0]["other"]["reference"]
        assert not fake.seen(survivor)
        assert merged.get(survivor).status_code == 404

    def test_nothing_of_the_survivor_comes_along(self, merged):
        entries, content = merged.everything()

        assert entries
        names = {json.dumps(entry["resource"].get("subject", {})) for entry in entries}
        assert len(names) <= 2  # of the old record, or of nobody
        assert b"of mallory" not in content
        assert b"(mallory)" not in content

    def test_records_that_the_ehr_moved_to_the_survivor_are_left_out(self, merged, fake):
        new = merged.get(f"Patient/{merged.patient_id}").json()["link"][0]["other"]["reference"]
        moved = {"resourceType": "AllergyIntolerance", "id": "m", "patient": {"reference": new}}
        body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": moved}]}
        fake.script(
            {"match": "/AllergyIntolerance", "times": 0, "do": {"status": 200, "body": json.dumps(body)}}
        )

        assert "entry" not in merged.get("AllergyIntolerance").json()

    @pytest.mark.parametrize(("status", "told"), [(404, 404), (410, 404), (200, 502)])
    def test_an_ehr_that_answers_with_the_survivor_or_with_nothing_crashes_nothing(
        self, merged, fake, status, told
    ):
        survivor = {"resourceType": "Patient", "id": "somebody-else", "name": [{"family": "Mallory"}]}
        fake.script(
            {"match": "/Patient/", "times": 0, "do": {"status": status, "body": json.dumps(survivor)}}
        )

        answer = merged.get(f"Patient/{merged.patient_id}")

        assert answer.status_code == told
        assert b"Mallory" not in answer.content


def test_every_shape_of_the_data_is_here():
    assert set(VENDORS) <= set(SHAPES) <= set(Source.Adapter.values)
