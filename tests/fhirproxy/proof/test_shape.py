"""A22: what is hidden, what is another's and what is not there are told apart by nothing that leaves.

Not by status, headers or body; not by our own SQL. What an EHR is asked for does differ (it must answer
before anybody can know whose a resource is), so that the time of an answer can tell a guess that hit from
one that did not: by how many questions to the EHR stands in MORE, so that no further difference comes in
unseen. The budget of refusals is what holds against guessing.
"""

import pytest

from consent.vocabulary import ACT_CODE, Category
from demo.population import CANARY
from fhirproxy.served import SERVED
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import FHIR_JSON, Answer, App, Case
from tests.fhirproxy.proof.cases import OWNED, REACHED
from tests.fhirproxy.proof.conftest import World

pytestmark = pytest.mark.django_db
# How many questions more the EHR is asked for a resource that is there than for one that is not. Of what is
# hidden, what tells of it is asked for; whose a Binary, a Medication or a Provenance is, others say.
MORE = {
    **{kind: {"hidden": 1} for kind in ("DocumentReference", "Observation")},
    **{f"Medication{kind}": {"hidden": 1} for kind in ("Dispense", "Request", "Statement")},
    "DiagnosticReport": {"hidden": 2},
    "Binary": {"hidden": 2, "foreign": 1},
    "Medication": {"hidden": 4, "foreign": 3},
    "Provenance": {"hidden": 2, "foreign": 1},
}
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}


@pytest.fixture
def app(world: World) -> App:
    """It may see every kind of record, and nothing private."""
    return App(issue(factories.create_consent(world.patient, categories=list(Category))))


@pytest.fixture
def three(world: World) -> dict[str, str]:
    """Keys of what is hidden, of what is another's and of what is not there; as long as each other."""
    hidden = "hd" + world.alice[2:]
    for kind in (*OWNED, *REACHED):
        if kind != "Patient":
            resource = records.resource_of(kind, world.alice, CANARY)
            records.keep([resource | {"id": records.id_of(kind, hidden), "meta": SUD}])
    # A Binary and a Medication are of whoever refers to them.
    for kind, element in (("DocumentReference", "content"), ("MedicationRequest", "medicationReference")):
        refers = {element: records.resource_of(kind, hidden, CANARY)[element], "id": f"{hidden}-{kind}"}
        records.keep([records.resource_of(kind, world.alice, "x") | refers])
    return {"hidden": hidden, "foreign": world.mallory, "nobody": world.ghost}


def ways(kind: str, one: str) -> list[str]:
    plain = [f"{kind}/{one}", f"{kind}/{one}?_elements=id"]
    if not SERVED[kind].searchable:
        return plain
    return [*plain, f"{kind}/{one}/_history", f"{kind}/{one}/_history/1", f"{kind}?_id={one}"]


def answers(app: App, three: dict[str, str], kind: str) -> dict[str, list[Answer]]:
    """By what it is: the answers, with the ids that were sent made the same."""
    found = {}
    for name, key in three.items():
        paths = ways(kind, records.id_of(kind, key))
        app.get(paths[0], accept=FHIR_JSON)  # so that nobody is the first
        these = [app.measured(Case(path, 0, headers={"accept": FHIR_JSON})) for path in paths]
        found[name] = [answer.about(key, "*" * len(key)) for answer in these]
    return found


@pytest.mark.parametrize("kind", [*OWNED, *REACHED])
def test_A22_hidden_foreign_and_missing_are_the_same_to_the_byte(world, app, three, kind):
    if kind == "Patient":
        three = {name: key for name, key in three.items() if name != "hidden"}
    found = answers(app, three, kind)

    for name, these in found.items():
        for answer, nobodys in zip(these, found["nobody"], strict=True):
            assert answer == nobodys, name
            assert answer.statements == nobodys.statements, name
        more = these[0].asked - found["nobody"][0].asked
        assert more == MORE.get(kind, {}).get(name, 0), (kind, name)


@pytest.mark.parametrize("kind", ["Observation", "Patient", "Binary", "Provenance", "AuditEvent"])
@pytest.mark.parametrize("name", ["if-none-match", "if-modified-since", "accept", "prefer"])
def test_A22_no_header_makes_them_differ(world, app, three, kind, name):
    value = {"if-none-match": 'W/"1"', "accept": "*/*", "prefer": "handling=lenient"}.get(
        name, "Fri, 01 Jan 2100 00:00:00 GMT"
    )
    seen = [
        app.get(f"{kind}/{records.id_of(kind, key)}", **{name: value}).about(key, "*" * len(key))
        for key in three.values()
        if (kind, key) != ("Patient", three["hidden"])
    ]

    assert seen.count(seen[0]) == len(seen)
