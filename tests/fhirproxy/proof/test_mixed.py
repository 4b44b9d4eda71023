"""A9 on records that an EHR mixed up, that two patients share, and on real ones."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from consent.vocabulary import LABELS, Category
from demo.population import CANARY
from fhirstore import sources
from fhirstore.loading import Loader
from fhirstore.models import Resource
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import FHIR_JSON, App, Case
from tests.fhirproxy.proof.cases import OWNED
from tests.fhirproxy.proof.conftest import World
from tests.fhirproxy.proof.test_bola import parts

PATIENTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "patients" / "pysynthea"
pytestmark = pytest.mark.django_db


def ways_to(kind: str, one: str) -> Iterator[str]:
    """Every address by which a resource could come."""
    for address in (f"{kind}/{one}", f"{kind}/{one}/_history/1", f"{kind}/{one}/_history"):
        yield from (address, f"{address}?_elements=contained,performer,subject,text")
    if kind in OWNED:
        yield from (kind, f"{kind}?_id={one}", f"{kind}?_revinclude=Provenance:target")


@pytest.fixture
def mixed(world) -> World:
    """Alice's and Mallory's records, mixed up."""
    records.keep(records.mixed(world.alice, world.mallory))
    return world


def alone(world: World, one: str) -> None:
    """Only that of what is mixed; a Binary with the documents that point to it."""
    kept = [r for r in records.mixed(world.alice, world.mallory) if r["id"] == one or one == "mixed-binary"]
    records.keep(
        r for r in kept if one != "mixed-binary" or r["resourceType"] in ("Binary", "DocumentReference")
    )


def told(world: World, paths: Iterable[str]) -> list[str]:
    """The addresses that gave away something of Mallory's."""
    found = []
    for path in paths:
        for accept in (FHIR_JSON, "*/*"):
            body = world.app.get(path, accept=accept).body
            found += [path] if any(secret in body for secret in world.secrets) else []
    return found


MIXED = [(r["resourceType"], r["id"]) for r in records.mixed("al", "mq")]


@pytest.mark.parametrize(("kind", "one"), MIXED, ids=[one for _, one in MIXED])
def test_A9_what_two_patients_are_in_is_given_to_neither_alone(world, kind, one):
    alone(world, one)

    assert told(world, ways_to(kind, one)) == []


def test_A9_a_panel_that_names_anothers_result_brings_nothing_of_it(world):
    """The bare id stays, as the EHR wrote it into her panel; what it stands for does not come."""
    member = [{"reference": f"Observation/{world.mallory}-observation"}]
    panel = records.resource_of("Observation", world.alice, "plain") | {"id": "panel", "hasMember": member}
    records.keep([panel])
    found = world.app.get("Observation?_id=panel&_include=Observation:has-member")

    assert found.ids == {"Observation/panel"}
    assert CANARY.encode() not in found.body


@pytest.mark.parametrize("kind", OWNED)
def test_A9_no_include_leads_from_ones_own_record_into_anothers(mixed, kind):
    records.keep([astray(kind, mixed.alice, mixed.mallory)])
    everything = "&".join(f"_include={kind}:{param}" for param in records.SERVED[kind].includes)
    found = mixed.app.get(f"{kind}?{everything}&_revinclude=Provenance:target&_count=200")

    assert found.status == 200
    # A medicine is of whoever has a prescription that names it.
    foreign = [r["id"] for r in found.resources if r["id"].startswith(mixed.mallory)]
    assert set(foreign) <= {f"{mixed.mallory}-medication"}


def astray(kind: str, alice: str, mallory: str) -> records.Resource:
    """Alice's, but each reference that can be included leads to Mallory's."""
    rule = records.SERVED[kind]
    resource = records.resource_of(kind, mallory, "plain") | {"id": f"{alice}-astray"}
    if kind == "Patient":
        return resource
    fresh = records.resource_of(kind, alice, "plain")
    owner = rule.owner_paths[0].partition(".")[0]
    return resource | {owner: fresh[owner]}


def test_A9_a_whole_record_and_a_batch_give_nothing_of_what_is_mixed(mixed):
    whole = f"Patient/{mixed.alice}-patient/$everything?_count=200"
    batch = mixed.app.batch(Case(f"{kind}/{one}", 0) for kind, one in MIXED)

    assert told(mixed, [whole]) == []
    assert not any(secret in batch.body for secret in mixed.secrets)


def test_A9_a_medicine_that_only_anothers_prescription_names_is_not_there(mixed):
    answer = mixed.app.get(f"Medication/{mixed.mallory}-medication")

    assert answer.status == 404
    assert answer == mixed.app.get(f"Medication/{mixed.ghost}-medication")


def test_A9_a_family_plan_is_still_ones_own(world):
    """Who pays for an insurance is often somebody else, and has a record here as well."""
    payer = {"reference": f"Patient/{world.mallory}-patient"}
    plan = records.resource_of("Coverage", world.alice, "plain") | {
        "subscriber": payer,
        "policyHolder": payer,
    }
    records.keep([plan])

    assert world.app.get(f"Coverage/{world.alice}-coverage").status == 200


def test_A9_what_is_contained_is_of_no_other_part_of_the_record_than_was_shared(world):
    """A yes to test results is no yes to a diagnosis that stands inside of one."""
    diagnosis = records.resource_of("Condition", world.alice, "HIDDEN") | {"id": "inside"}
    result = records.resource_of("Observation", world.alice, "plain")
    drug = records.resource_of("Medication", world.alice, "SHOWN") | {"id": "drug"}
    records.keep([result | {"id": f"{world.alice}-tells", "contained": [diagnosis, drug]}])
    categories = [Category.TEST_RESULTS, Category.DEMOGRAPHICS]
    narrow = App(issue(factories.create_consent(world.patient, categories=categories)))

    for app, seen in ((world.app, True), (narrow, False)):
        for path in ways_to("Observation", f"{world.alice}-tells"):
            answer = app.get(path.partition("?_elements")[0])
            assert answer.status == 200, path
            assert (b"HIDDEN" in answer.body) is seen, path


@pytest.mark.skipif(not PATIENTS.is_dir(), reason="the development data are not on this machine")
def test_A9_of_two_real_records_one_gives_nothing_of_the_other():
    small = sorted(PATIENTS.iterdir(), key=lambda path: path.stat().st_size)[2:4]
    mine, theirs = (loaded(path) for path in small)
    patient = factories.create_patient("Alice Moreno", fhir_id=mine)
    consent = factories.create_consent(patient, categories=list(Category), labels=sorted(LABELS))
    app = App(issue(consent))
    foreign = sorted(Resource.objects.filter(patient=theirs).values_list("type", "fhir_id"))
    asked = [Case(f"{kind}/{one}", 0) for kind, one in foreign]
    asked += [Case(f"{kind}?_id={one}", 0) for kind, one in foreign if kind in OWNED]
    asked += [Case(f"{kind}?patient={theirs}", 0) for kind in OWNED if kind != "Patient"]
    assert len(foreign) > 200

    for part in parts(asked):
        statuses = [entry["response"]["status"] for entry in app.batch(part).entries]
        got = [e["resource"] for e in app.batch(part).entries if "resource" in e]
        assert not [bundle for bundle in got if bundle.get("entry") or bundle["resourceType"] != "Bundle"]
        assert {status[:3] for status in statuses} <= {"200", "404", "403"}
    own = pages(app, f"Patient/{mine}/$everything?_count=200")
    assert len(own) > 200
    assert not own & {f"{kind}/{one}" for kind, one in foreign}


def loaded(path: Path) -> str:
    """The id of the patient in a file, once it is in the store."""
    rejects: list[sources.Reject] = []
    loader = Loader(rejects.append, as_is=True)
    for unit in sources.read(path):
        loader.take(unit)
    loader.finish()
    assert rejects == []
    entries = json.loads(gzip.decompress(path.read_bytes()))["entry"]
    return next(e["resource"]["id"] for e in entries if e["resource"]["resourceType"] == "Patient")


def pages(app: App, path: str) -> set[str]:
    found: set[str] = set()
    while path:
        answer = app.get(path)
        assert answer.status == 200, answer
        found |= answer.ids
        links = json.loads(answer.body).get("link", [])
        path = next((link["url"].partition("/fhir/r4/")[2] for link in links), "")
    return found
