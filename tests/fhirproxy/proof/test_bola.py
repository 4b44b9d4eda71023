"""A9, A10, A11, A12, A28: Alice's app asks for Mallory's record in every way there is.

The cases are generated (`cases`) from the tables of types, interactions and parameters. Each is asked
about Mallory and about a ghost whose ids are as long; the two answers must be the same to the byte, so
that nothing of hers is in it, and nobody learns from it that she is here.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import pytest

from demo.population import CANARY
from fhirproxy import batches
from fhirproxy.served import SERVED
from fhirstore.models import Resource
from smart.resource_types import R4
from tests.fhirproxy.proof import cases, records
from tests.fhirproxy.proof.app import Answer, Case
from tests.fhirproxy.proof.cases import OWNED, REACHED, UNSERVED
from tests.fhirproxy.proof.conftest import World
from tests.fhirproxy.proof.records import TARGET

pytestmark = pytest.mark.django_db
ENOUGH = 5


def faults(world: World, these: Iterable[Case], ask: Callable[[Case], Answer] | None = None) -> str:
    """What is wrong with the answers to cases about Mallory, a line each; empty if nothing is."""
    ask = ask or world.app.send
    return "\n".join(islice((fault for case in these for fault in _faults(world, case, ask)), ENOUGH))


def _faults(world: World, case: Case, ask: Callable[[Case], Answer]) -> Iterator[str]:
    answer = ask(case)
    if answer.status != case.status:
        yield f"{case}: {answer}"
    if CANARY.encode() in answer.body:
        yield f"{case}: the canary is out"
    if case.empty and answer.entries:
        yield f"{case}: something was found: {answer}"
    if answer.asked or world.mallory.encode() in answer.body:
        ghost = ask(case.about(world.mallory, world.ghost))
        if answer.about(world.mallory, world.ghost) != ghost:
            yield f"{case}: {answer} is not as for a ghost: {ghost}"
        if world.mallory.encode() in ghost.body:
            yield f"{case}: an id of Mallory's is out"
    if answer.asked and case.status in (400, 405):
        yield f"{case}: the EHR was asked, and it is refused for what it is"


def test_the_record_that_is_asked_for_is_there(world):
    """Without this the others would prove nothing."""
    assert len(OWNED) > 20
    for kind in (*OWNED, *REACHED):
        theirs = f"{kind}/{records.id_of(kind, world.mallory)}"
        answer = world.mallorys.get(theirs, accept="application/fhir+json")
        assert (answer.status, kind) == (200, kind), answer
        assert world.mallory.encode() in answer.body
        assert kind == "Binary" or CANARY.encode() in answer.body, kind
        assert world.app.get(theirs.replace(world.mallory, world.alice)).status == 200, kind
    for kind in OWNED:
        assert world.mallorys.get(f"{kind}?_count=200").ids >= {
            f"{kind}/{records.id_of(kind, world.mallory)}"
        }


@pytest.mark.parametrize("kind", OWNED)
def test_every_parameter_finds_what_it_is_asked_for_in_ones_own_record(world, kind):
    """And neither would the searches below, if they found nobody's."""
    one = f"{kind}/{records.id_of(kind, world.alice)}"
    for param in sorted(SERVED[kind].search_params):
        found = world.app.get(f"{kind}?{param}={cases.value_of(kind, param, world.alice, 'plain')}")
        assert one in found.ids, (kind, param)
    for param, element in SERVED[kind].includes.items():
        found = world.app.get(f"{kind}?_include={kind}:{param}&_id={records.id_of(kind, world.alice)}")
        other = f"{TARGET[param]}/{records.id_of(TARGET[param], world.alice)}"
        assert {one, other} == found.ids, (kind, element)


@pytest.mark.parametrize("kind", [*OWNED, *REACHED])
def test_A9_a_resource_of_another_patient_is_as_one_that_is_not_there(world, kind):
    assert faults(world, cases.reads(kind, world.mallory)) == ""


@pytest.mark.parametrize("kind", OWNED)
def test_A9_a_search_for_another_patient_is_as_one_for_nobody(world, kind):
    assert faults(world, cases.foreign_searches(kind, world.mallory, world.alice)) == ""


@pytest.mark.parametrize("kind", OWNED)
def test_A9_a_search_by_what_is_another_patients_finds_what_a_ghosts_would(world, kind):
    assert faults(world, cases.own_searches(kind, world.mallory)) == ""


@pytest.mark.parametrize("kind", OWNED)
def test_A9_a_parameter_that_is_not_served_is_refused_and_not_left_out(world, kind):
    these = list(cases.refused_searches(kind, world.mallory))
    alone, together = split(these)

    assert faults(world, alone) == ""
    assert batch_faults(world, together) == ""


def test_A9_a_whole_record_of_another_patient_is_as_that_of_a_ghost(world):
    assert faults(world, cases.everything(world.mallory)) == ""


@pytest.mark.parametrize("kind", ["Observation", "Patient", "Provenance", "Appointment"])
def test_A9_an_entry_of_a_batch_is_answered_as_if_it_came_alone(world, kind):
    these = [*cases.reads(kind, world.mallory)]
    if kind in OWNED:
        these += cases.foreign_searches(kind, world.mallory, world.alice)
        these += cases.own_searches(kind, world.mallory)
    assert batch_faults(world, split(these)[1]) == ""


def test_A9_a_transaction_that_asks_for_another_patient_gives_nothing_at_all(world):
    mine = Case(f"Observation/{world.alice}-observation", 200)
    for kind in (*OWNED, *REACHED):
        theirs = Case(f"{kind}/{records.id_of(kind, world.mallory)}", 404)
        refused = world.app.batch([mine, theirs], "transaction")
        ghosts = world.app.batch([mine, theirs.about(world.mallory, world.ghost)], "transaction")
        assert (refused.status, refused) == (404, ghosts)
        assert world.alice.encode() not in refused.body


def test_A28_a_page_link_of_another_is_as_one_that_was_made_up(world):
    paths = [f"{kind}?_count=1" for kind in OWNED] + [f"Patient/{world.mallory}-patient/$everything?_count=1"]
    twice = records.resource_of("Observation", world.mallory, CANARY) | {"id": f"{world.mallory}-second"}
    records.keep([twice])
    links = [link for path in paths for link in links_of(world.mallorys.get(path))]
    assert len(links) >= 2  # of Observation, and of the whole record
    for link in links:
        path, _, cursor = link.partition("?_cursor=")
        stolen = Case(f"{path}?_cursor={cursor}", 404 if "$everything" in path else 400)
        made_up = Case(f"{path}?_cursor={cursor[::-1]}", stolen.status)
        assert world.app.send(stolen) == world.app.send(made_up)
        own = path.replace(world.mallory, world.alice)
        assert world.app.get(f"{own}?_cursor={cursor}").status == 400


@pytest.mark.parametrize("kind", [*OWNED, *REACHED, *records.SHARED])
def test_A10_nothing_of_anyone_is_written_here(world, kind):
    before = versions()
    assert faults(world, cases.writes(kind, world.mallory, world.alice)) == ""
    assert faults(world, cases.writes(kind, world.alice, world.mallory)) == ""
    assert versions() == before


def test_A10_a_bundle_that_writes_is_refused_entry_by_entry_and_as_a_whole(world):
    before = versions()
    for kind in OWNED:
        theirs = f"{kind}/{records.id_of(kind, world.mallory)}"
        these = [Case(theirs, 405, method) for method in ("PUT", "DELETE", "PATCH", "POST")]
        these += [Case(f"{kind}?_id={world.mallory}", 405, "DELETE"), Case(kind, 405, "POST")]
        assert batch_faults(world, these) == ""
        mine = Case(f"Observation/{world.alice}-observation", 200)
        assert world.app.batch([mine, these[0]], "transaction").status == 405
    assert versions() == before


@pytest.mark.parametrize("kind", UNSERVED)
def test_A11_a_type_that_is_not_declared_is_closed(world, kind):
    assert faults(world, cases.unserved(kind, world.mallory)) == ""


def test_A11_every_type_of_r4_is_in_the_matrix():
    assert {*OWNED, *REACHED, *records.SHARED, *UNSERVED, *cases.OURS} == R4


@pytest.mark.parametrize("kind", records.SHARED)
def test_A9_what_is_the_clinics_is_read_by_its_id_and_nothing_else(world, kind):
    one = f"{kind}/{records.id_of(kind, world.mallory)}"
    assert world.app.get(one).status == 200
    for path, status in ((kind, 403), (f"{kind}?_id=x", 403), (f"{kind}?name=a", 403)):
        assert faults(world, [Case(path, status)]) == ""
    for path in (f"{one}/_history", f"{one}/_history/1", f"{one}/$everything"):
        assert faults(world, [Case(path, 404)]) == ""


def test_A9_an_address_with_a_line_break_is_the_gates_too(world):
    answer = world.app.get(f"Observation/{world.mallory}-observation%0a")

    assert (answer.status, answer.headers["content-type"]) == (404, "application/fhir+json")


def split(these: Iterable[Case]) -> tuple[list[Case], list[Case]]:
    """Those that only go alone, and those that an entry of a batch can say as well."""
    alone, together = [], []
    for case in these:
        plain = case.method == "GET" and not case.headers and case.path.isprintable()
        (together if plain and not set(case.path) & set("#%") and "//" not in case.path else alone).append(
            case
        )
    return alone, together


def batch_faults(world: World, these: Iterable[Case]) -> str:
    """The same for cases that are sent as entries of batches."""
    found = (fault for part in parts(these) for fault in _batch_faults(world, part))
    return "\n".join(islice(found, ENOUGH))


def _batch_faults(world: World, these: list[Case]) -> Iterator[str]:
    answer = world.app.batch(these)
    ghosts = world.app.batch(case.about(world.mallory, world.ghost) for case in these)
    pairs = zip(answer.entries, ghosts.entries, strict=True)
    for case, (entry, ghost) in zip(these, pairs, strict=True):
        if not entry["response"]["status"].startswith(str(case.status)):
            yield f"{case}: {str(entry)[:300]}"
        said = json.dumps(entry)
        if CANARY in said:
            yield f"{case}: the canary is out"
        if case.empty and "entry" in entry["resource"]:
            yield f"{case}: something was found: {said[:300]}"
        if said.replace(world.mallory, world.ghost) != json.dumps(ghost):
            yield f"{case}: {said[:300]} is not as for a ghost"
        if world.mallory in json.dumps(ghost):
            yield f"{case}: an id of Mallory's is out"
    if answer.asked and {case.status for case in these} <= {400, 405}:
        yield f"{these[0]} …: the EHR was asked"


def parts(these: Iterable[Case]) -> Iterator[list[Case]]:
    rest = iter(these)
    while part := list(islice(rest, batches.MOST)):
        yield part


def links_of(answer: Answer) -> list[str]:
    return [link["url"].partition("/fhir/r4/")[2] for link in json.loads(answer.body).get("link", [])]


def versions() -> list[tuple[object, ...]]:
    """Every resource of the embedded store with its version."""
    return sorted(Resource.objects.values_list("type", "fhir_id", "version"))
