"""What the gate needs of an EHR, asked of each: the embedded store, sekmet-fhir, the fake's shapes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fhirproxy import adapters, asking, health, upstream
from fhirproxy.adapters.systems import WRONG
from fhirproxy.interactions import FHIR_ID
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.upstream import FhirRequest
from tests.ehr import cast
from tests.ehr.conftest import QUICK, Fake
from tests.ehr.records import NOTE, record
from tests.ehr.shapes import SHAPES

pytestmark = pytest.mark.django_db
KINDS = ["embedded", "sekmet", *SHAPES]


@dataclass(frozen=True)
class Ehr:
    """One EHR with the records of Alice and Mallory in it."""

    source: Source
    shape: str
    base: str

    def record(self, who: str = "alice") -> list[dict]:
        return record(self.shape, who, self.base)

    def references(self, *kinds: str) -> set[str]:
        """Of Alice's record."""
        found = {f"{r['resourceType']}/{r['id']}" for r in self.record()}
        return {reference for reference in found if not kinds or reference.split("/")[0] in kinds}

    @property
    def patient_id(self) -> str:
        return str(self.record()[0]["id"])


@pytest.fixture(params=KINDS)
def ehr(request: pytest.FixtureRequest) -> Iterator[Ehr]:
    kind = request.param
    if kind == "embedded":
        yield _loaded(Ehr(Source(slug="far", name="Far Clinic", kind=Source.Kind.EMBEDDED), "plain", ""))
    elif kind == "sekmet":
        base = request.getfixturevalue("sekmet")
        source = Source(slug="far", name="Far Clinic", kind=Source.Kind.HTTP, base_url=base, **QUICK)
        ehr = Ehr(source, "plain", base)
        there = upstream.of(source).send(FhirRequest("GET", f"Patient/{ehr.patient_id}")).status == 200
        yield ehr if there else _loaded(ehr)
    else:
        fake: Fake = request.getfixturevalue("fake")
        ehr = Ehr(fake.source(kind), kind, fake.url(kind))
        fake.load(kind, [*ehr.record(), *ehr.record("mallory")])
        yield ehr


def _loaded(ehr: Ehr) -> Ehr:
    """Written by plain FHIR updates; the same ids each time."""
    upstream.forget()
    for resource in [*ehr.record(), *ehr.record("mallory")]:
        path = f"{resource['resourceType']}/{resource['id']}"
        headers = {"Content-Type": "application/fhir+json"}
        body = json.dumps(resource).encode()
        answer = upstream.of(ehr.source).send(FhirRequest("PUT", path, headers=headers, body=body))
        assert answer.status in (200, 201), answer.body
    return ehr


def references(bodies: list[bytes]) -> list[str]:
    found = [json.loads(body) for body in bodies]
    return sorted(f"{each['resourceType']}/{each['id']}" for each in found)


def test_a_resource_is_read_by_its_id(ehr):
    for reference in sorted(ehr.references()):
        answer = asking.ask(ehr.source, reference)

        assert answer.status == 200
        found = json.loads(answer.body)
        assert f"{found['resourceType']}/{found['id']}" == reference
        assert FHIR_ID.match(found["id"])


def test_what_is_not_there_is_404(ehr):
    assert asking.ask(ehr.source, "Observation/no-such-thing").status == 404


@pytest.mark.parametrize("count", ["2", "100"])
def test_a_search_has_all_of_the_patient_and_of_nobody_else_once_each(ehr, count):
    query = (("patient", ehr.patient_id), ("_count", count))

    found = references(list(asking.pages(ehr.source, "Observation", query)))

    assert found == sorted(ehr.references("Observation"))


@pytest.mark.parametrize("kind", ["Condition", "AllergyIntolerance", "MedicationRequest"])
def test_a_search_that_says_the_patient_only_is_enough(ehr, kind):
    found = references(list(asking.pages(ehr.source, kind, (("patient", ehr.patient_id),))))

    assert found == sorted(ehr.references(kind))


def test_a_category_narrows(ehr):
    query = (("patient", ehr.patient_id), ("category", "vital-signs"))

    found = list(asking.pages(ehr.source, "Observation", query))

    assert len(found) == 2
    assert all(json.loads(body)["category"][0]["coding"][0]["code"] == "vital-signs" for body in found)


def test_many_are_found_by_their_ids(ehr):
    wanted = {reference.partition("/")[2] for reference in ehr.references("Observation")}
    nowhere = {f"nowhere-{number}" for number in range(60)}

    found = references(asking.by_ids(ehr.source, "Observation", wanted | nowhere))

    assert found == sorted(ehr.references("Observation"))


def test_a_parameter_that_it_does_not_know_is_not_passed_over(ehr):
    with pytest.raises(EhrFailure) as refused:
        list(asking.pages(ehr.source, "Observation", (("no-such-parameter", "1"),)))

    assert refused.value.status == 400


def test_code_systems_have_fhirs_names(ehr):
    body = b"".join(asking.pages(ehr.source, "Observation", (("patient", ehr.patient_id),)))

    assert not [wrong for wrong in WRONG if f'"{wrong}"'.encode() in body]
    assert b'"http://loinc.org"' in body


def test_its_capability_statement_is_good_enough(ehr):
    finding = health.check(ehr.source)

    assert (finding.state, finding.problem) == ("up", "")
    assert {"Patient", "Observation"} <= set(finding.types.split())


def test_every_adapter_has_a_shape_and_every_shape_an_adapter():
    assert set(adapters.ADAPTERS) == set(SHAPES) == set(Source.Adapter.values)


class TestThroughTheGate:
    """The same of each, by an app with everything allowed, at the EHR's own base."""

    def test_a_whole_record_is_alices_and_nothing_of_mallorys_is_in_it(self, ehr):
        app = cast.app(ehr.source, ehr.patient_id)

        entries, content = app.everything()

        wanted = ehr.references() - ehr.references("Binary", "Medication")
        assert {e["fullUrl"] for e in entries} == {f"{app.base}/{reference}" for reference in wanted}
        assert b"mallory" not in content.lower()

    def test_small_pages_make_the_same_whole(self, ehr):
        app = cast.app(ehr.source, ehr.patient_id)

        entries, _ = app.follow(f"Observation?patient={ehr.patient_id}&_count=3")

        assert sorted(f"Observation/{e['resource']['id']}" for e in entries) == sorted(
            ehr.references("Observation")
        )

    def test_nothing_of_mallorys_is_read(self, ehr):
        app = cast.app(ehr.source, ehr.patient_id)

        for other in ehr.record("mallory"):
            answer = app.get(f"{other['resourceType']}/{other['id']}")
            assert answer.status_code == 404
            assert b"mallory" not in answer.content.lower().replace(str(other["id"]).lower().encode(), b"")

    def test_an_attachment_comes_with_its_document(self, ehr):
        app = cast.app(ehr.source, ehr.patient_id)

        for binary in ehr.references("Binary"):
            answer = app.get(binary)
            assert (answer.status_code, answer.content) == (200, NOTE + b"alice")

    def test_a_page_link_of_one_ehr_opens_nothing_at_another(self, ehr):
        app = cast.app(ehr.source, ehr.patient_id)
        first = app.get(f"Observation?patient={ehr.patient_id}&_count=3").json()
        [link] = [link["url"] for link in first["link"] if link["relation"] == "next"]
        assert link.startswith(f"{app.base}/Observation?_cursor=")

        assert app.get(link.replace("/fhir/far/r4/", "/fhir/r4/")).status_code == 400
