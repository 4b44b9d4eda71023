"""A bulk export out of the EHR's own one: the same as by searching, whatever becomes of the EHR meanwhile."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import PatientIdentity
from audit.models import AuditEvent
from exports import runs
from exports.bulk import approvals, whole
from exports.models import ExportJob
from fhirproxy import models
from tests import factories
from tests.ehr.conftest import Fake
from tests.ehr.records import record
from tests.exports.bulk.conftest import _folder, read
from tests.exports.bulk.service import Service, a_group, an_administrator, approved
from tests.exports.bulk.test_consent import choose
from tests.exports.making import free, made

__all__ = ["_folder"]  # a fixture
pytestmark = pytest.mark.django_db
TYPES = "?_type=Patient,Observation,Condition,AllergyIntolerance"


@pytest.fixture
def people(fake: Fake):
    """Alice and Mallory at a far EHR that is the first one, and Tom, who is there and not known here."""
    source = factories.create_source()
    for name, value in {"kind": "http", "base_url": fake.url("plain"), "deadline": 15}.items():
        setattr(source, name, value)
    source.save()
    found = {}
    for who in ("alice", "mallory"):
        found[who] = factories.create_patient(who.title())
        PatientIdentity.objects.filter(patient=found[who]).update(fhir_id=f"{who}-p")
    yield found
    models._primary.cache_clear()


@pytest.fixture
def holds(fake: Fake, people):
    def load(*, exports: bool = True) -> None:
        everybody = [r for who in (*people, "tom") for r in record("plain", who, fake.url("plain"))]
        fake.load("plain", everybody, exports=exports)

    load()
    return load


@pytest.fixture
def service(people) -> Service:
    """Approved for everybody."""
    service, ada = Service(), an_administrator()
    approved(service, approvals.define(id="all", name="All", kind="rule", by=ada), by=ada)
    return service


@pytest.fixture
def exported(service, holds):
    """exported("?_type=…") → the resources, by type, each as text, in order."""

    def export(query: str = TYPES) -> dict[str, list[str]]:
        status = service.get(f"Group/all/$export{query}")["Content-Location"]
        made(ExportJob.objects.latest("created_at"))
        found = read(service, service.get(status).json())
        return {kind: sorted(json.dumps(r, sort_keys=True) for r in each) for kind, each in found.items()}

    return export


def asked(fake: Fake, path: str) -> list[str]:
    return [request["path"].partition("/fhir/")[2] for request in fake.seen(path)]


def test_it_is_what_searching_gives_and_nobodys_who_is_not_known_here(exported, holds, fake, people):
    choose(people["mallory"], "operations", permit=False)
    from_its_export = exported()
    assert asked(fake, "$export") == ["Patient/$export"]
    assert not asked(fake, "/Observation") or all("_bulk" in path for path in asked(fake, "/Observation"))
    assert [r["method"] for r in fake.seen("/_bulk")][-1] == "DELETE"

    holds(exports=False)
    assert exported() == from_its_export
    assert len(from_its_export["Observation"]) == 7
    assert "mallory" not in json.dumps(from_its_export)
    assert "tom" not in json.dumps(from_its_export)
    refused = AuditEvent.objects.filter(type="export:give", outcome="deny")
    assert {event.patient for event in refused} == {f"Patient/{people['mallory'].pk}"}


@pytest.mark.parametrize(
    "query", ["&_typeFilter=Observation%3Fcategory=laboratory", "&_until=2100-01-01T00:00:00Z"]
)
def test_what_the_ehr_may_not_know_is_searched_for(exported, fake, query):
    assert exported(TYPES + query)["Patient"]
    assert asked(fake, "$export") == []


def test_of_a_list_nothing_is_asked_of_others(service, holds, fake, people):
    approved(service, a_group(people["alice"], id="few"))
    service.get(f"Group/few/$export{TYPES}")
    made(ExportJob.objects.get())

    assert asked(fake, "$export") == []


def test_it_waits_as_long_as_the_ehr_says(service, holds, fake):
    fake.script(
        {
            "match": "GET /plain/fhir/_bulk?",
            "times": 1,
            "do": {"status": 202, "headers": {"Retry-After": "90"}},
        }
    )
    service.get(f"Group/all/$export{TYPES}")
    job = ExportJob.objects.get()
    runs.run(job.pk)
    job.refresh_from_db()

    assert job.status == "running"
    assert timedelta(seconds=60) < job.lease_until - timezone.now() <= timedelta(seconds=90)
    assert job.attempts == 0
    free(job)
    assert made(job).status == "completed"


def test_an_ehr_that_is_never_done_is_searched(service, holds, fake, monkeypatch):
    monkeypatch.setattr(whole, "LONGEST", -1)
    fake.script({"match": "GET /plain/fhir/_bulk?", "times": 0, "do": {"status": 202}})
    service.get(f"Group/all/$export{TYPES}")

    assert made(ExportJob.objects.get()).status == "completed"
    assert "Observation" in asked(fake, "/Observation")


def test_a_file_that_breaks_off_goes_on_where_it_stood(exported, fake, monkeypatch):
    """Half of the lines, and the rest with the next try: each of them once."""
    monkeypatch.setattr(whole, "LINES", 3)
    monkeypatch.setattr("fhirproxy.upstream.exchange.CHUNK", 256)
    fake.script({"match": "_bulk/Observation", "times": 1, "do": {"cut": 2500}})

    assert len(set(exported()["Observation"])) == 14
    assert len(asked(fake, "_bulk/Observation")) == 2


@pytest.mark.parametrize(
    ("match", "do"),
    [
        ("_bulk/Observation", {"cut": 2500}),
        ("_bulk/Observation", {"status": 404}),
        ("_bulk/Observation", {"body": '{"resourceType": "Observation", "id": "x", "id": "y"}'}),
        ("$export", {"status": 501}),
        ("$export", {"status": 202, "headers": {"Content-Location": "http://127.0.0.2:1/evil"}}),
        ("GET /plain/fhir/_bulk?", {"status": 500}),
        ("GET /plain/fhir/_bulk?", {"body": "no manifest"}),
        (
            "GET /plain/fhir/_bulk?",
            {"body": '{"output": [{"type": "Patient", "url": "http://169.254.169.254/"}]}'},
        ),
        ("GET /plain/fhir/_bulk?", {"body": '{"output": [], "error": [{"url": "x"}]}'}),
    ],
    ids=["cut", "404", "twice", "501", "elsewhere", "500", "no-json", "metadata-address", "with-errors"],
)
def test_what_cannot_be_had_whole_is_searched_for_from_the_beginning(exported, fake, match, do):
    fake.script({"match": match, "times": 0, "do": do})
    found = exported()

    assert {kind: len(each) for kind, each in found.items()} == {
        **{"Patient": 2, "Observation": 14, "Condition": 2, "AllergyIntolerance": 2},
    }
    assert "Observation" in asked(fake, "/Observation")


def test_F13_who_says_no_while_the_file_is_read_is_left_out_from_there(service, holds, people, monkeypatch):
    """Decided chunk by chunk; what was taken before makes the client's files go (`overtaken`)."""
    monkeypatch.setattr(whole, "LINES", 3)
    status = service.get(f"Group/all/$export{TYPES}")["Content-Location"]
    decided, seen = whole._decided, []

    def spied(bulk, want, bodies):
        if want.resource_type == "Observation" and "Observation" not in seen:
            choose(people["mallory"], "operations", permit=False)
        seen.append(want.resource_type)
        return decided(bulk, want, bodies)

    monkeypatch.setattr(whole, "_decided", spied)
    made(ExportJob.objects.get())

    denied = AuditEvent.objects.filter(type="export:give", outcome="deny")
    assert {event.patient for event in denied} == {f"Patient/{people['mallory'].pk}"}
    assert service.get(status).status_code == 410


def test_a_worker_that_is_killed_goes_on_with_the_same_lines(service, holds, monkeypatch, exported):
    whole_one = exported()
    monkeypatch.setattr(whole, "LINES", 2)
    status = service.get(f"Group/all/$export{TYPES}")["Content-Location"]
    job = ExportJob.objects.latest("created_at")
    decided, count = whole._decided, iter(range(1000))

    class Killed(BaseException):
        pass

    def dies(bulk, want, bodies):
        if next(count) % 3 == 2:
            raise Killed
        return decided(bulk, want, bodies)

    monkeypatch.setattr(whole, "_decided", dies)
    for _ in range(30):
        try:
            runs.run(job.pk)
        except Killed:
            free(job)
        job.refresh_from_db()
    found = read(service, service.get(status).json())
    assert {k: sorted(json.dumps(r, sort_keys=True) for r in v) for k, v in found.items()} == whole_one
