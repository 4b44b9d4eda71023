"""A resource takes the labels of what it is made of and about, and what cannot be looked at closes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from consent.labels import SNOMED, starter_codes
from consent.vocabulary import ACT_CODE
from fhirproxy import asking
from fhirproxy.inheritance import TELLING, labels_of_neighbours, neighbours
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from smart.resource_types import R4
from tests import factories

CODES = starter_codes("US")
HIV = {"coding": [{"system": SNOMED, "code": "86406008"}]}


def to(*references: str) -> list[dict]:
    return [{"reference": reference} for reference in references]


def report(*results: str) -> dict:
    return {"resourceType": "DiagnosticReport", "result": to(*results)}


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        (report("Observation/1", "Observation/2/_history/3"), {"Observation/1", "Observation/2"}),
        (report("http://ehr.example/fhir/Observation/1"), {"Observation/1"}),
        (report("http://elsewhere.example/fhir/Observation/1"), set()),
        (report("#inside", "urn:uuid:0", "Observation?code=1", "Nonsense/1", "Observation/"), set()),
        (report("Observation/" + "x" * 90), {"Observation/" + "x" * 90}),
        ({"resourceType": "DiagnosticReport", "result": {"reference": "Observation/1"}}, {"Observation/1"}),
        ({"resourceType": "DiagnosticReport", "result": ["garbage", {}, {"reference": 1}]}, set()),
        ({"resourceType": "DiagnosticReport", "encounter": to("Encounter/1")[0]}, {"Encounter/1"}),
        (
            {"resourceType": "Observation", "hasMember": to("Observation/1"), "derivedFrom": to("Media/2")},
            {"Observation/1", "Media/2"},
        ),
        (
            {"resourceType": "DocumentReference", "context": {"encounter": to("Encounter/1")}},
            {"Encounter/1"},
        ),
        (
            {"resourceType": "MedicationRequest", "medicationReference": to("Medication/1")[0]},
            {"Medication/1"},
        ),
        ({"resourceType": "MedicationRequest", "reasonReference": to("Condition/1")}, {"Condition/1"}),
        (
            {"resourceType": "Encounter", "diagnosis": [{"condition": to("Condition/1")[0]}]},
            {"Condition/1"},
        ),
        ({"resourceType": "CarePlan", "addresses": to("Condition/1")}, {"Condition/1"}),
        # What a Provenance tells of is decided on together with it: see `reached`.
        ({"resourceType": "Provenance", "target": to("Goal/1", "Patient/2")}, set()),
        ({"resourceType": "Patient", "managingOrganization": to("Organization/1")[0]}, set()),
        ({"resourceType": "Observation", "subject": to("Patient/1")[0]}, set()),
        ({}, set()),
    ],
)
def test_neighbours_of_a_resource(resource, found):
    assert neighbours(resource, "http://ehr.example/fhir") == found


def test_every_telling_type_is_one_of_r4():
    assert set(TELLING) <= R4


@pytest.fixture
def alice(db):
    return factories.alice()


@pytest.fixture
def source(alice):
    return Source.primary()


def record(alice, resource_type: str, name: str, **elements: object) -> dict:
    who = to(f"Patient/{factories.fhir_id(alice)}")[0]
    return {"resourceType": resource_type, "id": name, "subject": who, **elements}


def test_a_prescription_takes_the_label_of_its_medicine_and_of_its_reason(alice, source):
    medicine = {"resourceType": "Medication", "id": "drug", "code": {"coding": [{"code": "1747691"}]}}
    condition = record(alice, "Condition", "why", meta={"security": [{"system": ACT_CODE, "code": "SDV"}]})
    factories.load_records(medicine, condition)
    prescription = record(
        alice,
        "MedicationRequest",
        "order",
        medicationReference=to("Medication/drug")[0],
        reasonReference=to("Condition/why"),
    )

    found = labels_of_neighbours([prescription], source, CODES)
    assert found == {"Medication/drug": {"HIV"}, "Condition/why": {"SDV"}}


def test_only_one_level_is_followed(alice, source):
    factories.load_records(
        record(alice, "Condition", "root", code=HIV),
        record(
            alice,
            "Encounter",
            "visit",
            status="finished",
            **{"class": {"code": "AMB"}},
            reasonReference=to("Condition/root"),
        ),
    )
    letter = record(alice, "DocumentReference", "letter", context={"encounter": to("Encounter/visit")})

    assert labels_of_neighbours([letter], source, CODES) == {}


def test_what_the_ehr_does_not_have_adds_nothing(alice, source):
    assert labels_of_neighbours([report("Observation/gone")], source, CODES) == {}


def test_nothing_is_asked_where_nobody_refers_to_anything(source, monkeypatch):
    monkeypatch.setattr(asking, "page", None)

    assert labels_of_neighbours([{"resourceType": "Goal"}, {}], source, CODES) == {}


def test_the_neighbours_of_a_whole_answer_are_asked_for_at_once(alice, source, ehr):
    ehr.answers = {"/Observation": [json.dumps({"resourceType": "Bundle"})] * 3}
    reports = [report(f"Observation/{number}") for number in range(201)]

    assert labels_of_neighbours(reports, ehr.source, CODES) == {}
    assert [len(query["_id"][0].split(",")) for query in ehr.queries] == [100, 100, 1]


def test_long_ids_are_asked_for_in_shorter_lists(ehr):
    ehr.answers = {"/Observation": [json.dumps({"resourceType": "Bundle"})] * 4}
    labels_of_neighbours([report(*(f"Observation/{n:0200}" for n in range(50)))], ehr.source, CODES)

    assert max(len(query["_id"][0]) for query in ehr.queries) <= asking.LONGEST
    assert sum(len(query["_id"][0].split(",")) for query in ehr.queries) == 50


class Ehr(ThreadingHTTPServer):
    """An EHR that answers what it was told to, in turn."""

    answers: ClassVar[dict[str, list[str]]] = {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.queries: list[dict[str, list[str]]] = []
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.source = Source(slug="far", kind=Source.Kind.HTTP, base_url=self.base)


class Answer(BaseHTTPRequestHandler):
    server: Ehr

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        self.server.queries.append(parse_qs(target.query))
        waiting = self.server.answers.get(target.path, [])
        body = waiting.pop(0).encode() if waiting else b""
        self.send_response(200 if body else 500)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with Ehr() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def page(*resources: dict, following: str = "") -> str:
    link = [{"relation": "next", "url": following}] if following else []
    entry = [{"resource": resource} for resource in resources]
    return json.dumps({"resourceType": "Bundle", "entry": entry, "link": link})


ONE, TWO = ({"resourceType": "Observation", "id": name, "code": HIV} for name in ("one", "two"))


def test_what_comes_on_a_later_page_counts_too(ehr):
    more = f"{ehr.base}/Observation?page=2"
    ehr.answers = {"/Observation": [page(ONE, following=more), page(TWO)]}

    found = labels_of_neighbours([report("Observation/one", "Observation/two")], ehr.source, CODES)
    assert found == {"Observation/one": {"HIV"}, "Observation/two": {"HIV"}}


@pytest.mark.parametrize(
    "answers",
    [
        [],  # 500
        ["garbage"],
        ['{"entry": [{"resource": "garbage"}]}'],
        ['{"entry": [{}]}'],
        [page(ONE, following="http://elsewhere.example/Observation?page=2")],
        [page(ONE, following="/Observation?page=2")],  # and there it fails
    ],
)
def test_what_the_ehr_does_not_say_closes(ehr, answers):
    ehr.answers = {"/Observation": list(answers)}

    with pytest.raises(EhrFailure):
        labels_of_neighbours([report("Observation/one")], ehr.source, CODES)


def test_pages_that_never_end_close(ehr):
    ehr.source.max_pages = 3
    following = [page(ONE, following=f"{ehr.base}/Observation?again={n}") for n in range(4)]
    ehr.answers = {"/Observation": following}

    with pytest.raises(EhrFailure):
        labels_of_neighbours([report("Observation/one")], ehr.source, CODES)


def test_an_ehr_that_is_not_there_closes():
    gone = Source(slug="gone", kind=Source.Kind.HTTP, base_url="http://127.0.0.1:9")

    with pytest.raises(EhrFailure):
        labels_of_neighbours([report("Observation/one")], gone, CODES)
