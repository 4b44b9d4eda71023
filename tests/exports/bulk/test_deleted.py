"""What a manifest tells of what was deleted since: what could have been exported, and nothing else."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from exports.models import ExportJob
from fhirproxy import asking
from fhirproxy.models import Source
from fhirstore.server import handle
from tests import factories
from tests.exports.bulk.conftest import read
from tests.exports.bulk.test_consent import choose
from tests.exports.making import made

pytestmark = pytest.mark.django_db
SENSITIVE = {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "86406008"}]}}


def kickoff(since=timedelta(hours=1), types="Patient,Observation,Condition", **more) -> str:
    told = {"_type": types, "_since": (timezone.now() - since).isoformat(), **more}
    return "Group/diabetes-2026/$export?" + "&".join(f"{name}={quote(v)}" for name, v in told.items())


def delete(reference: str) -> None:
    assert handle("DELETE", reference, (), {}, b"")[0] == 204


def lab(patient, id: str, **elements) -> str:
    factories.load_records(factories.lab_result(patient, id, **elements))
    return f"Observation/{id}"


@pytest.fixture
def told(export, service):
    """What is told as deleted: told(…) → references."""

    def make(**more) -> list[str]:
        manifest, _ = export(kickoff(**more))
        found = read(service, manifest, "deleted").get("Bundle", [])
        assert all((b["resourceType"], b["type"]) == ("Bundle", "transaction") for b in found)
        assert {entry["request"]["method"] for b in found for entry in b["entry"]} <= {"DELETE"}
        return sorted(entry["request"]["url"] for bundle in found for entry in bundle["entry"])

    return make


def test_what_was_deleted_since_is_told_and_not_what_is_there_again(told, alice, mallory, service):
    gone, back = lab(alice, "gone"), lab(alice, "back")
    theirs = lab(mallory, "theirs")
    strangers = lab(factories.tom(), "strangers")
    for reference in (gone, back, theirs, strangers):
        delete(reference)
    lab(alice, "back")

    assert told() == [gone, theirs]
    given = AuditEvent.objects.filter(type="export:give", patient=f"Patient/{alice.pk}").order_by("id")
    assert given.last().resource_types == ["Observation"]


def test_without_a_day_or_before_it_nothing_is_told(told, export, alice):
    delete(lab(alice, "gone"))

    assert export("Group/diabetes-2026/$export?_type=Patient,Observation")[0]["deleted"] == []
    assert told(since=timedelta(0)) == []
    assert told(types="Patient,Condition") == []
    assert told(_typeFilter="Observation?code=18262-6") == [], "whether it fitted, nobody can ask"
    assert told(_until=(timezone.now() - timedelta(minutes=1)).isoformat()) == []
    assert told() == ["Observation/gone"]


def test_what_a_patient_keeps_to_herself_was_never_there(told, alice, mallory):
    secret, hers = lab(alice, "secret", **SENSITIVE), lab(mallory, "hers")
    plain = lab(alice, "plain")
    for reference in (secret, hers, plain):
        delete(reference)
    choose(mallory, "operations", permit=False)

    assert told() == [plain]


def test_what_is_deleted_while_the_export_is_made_is_told_by_the_next_one(start, service, alice, told):
    reference = lab(alice, "late")
    status = start(kickoff())
    delete(reference)
    made(ExportJob.objects.get())

    assert service.get(status).json()["deleted"] == []
    assert told() == [reference]


def test_pages_are_walked_and_a_worker_that_was_killed_goes_on(told, alice, monkeypatch):
    monkeypatch.setattr("fhirproxy.deletions.COUNT", ("_count", "1"))
    monkeypatch.setattr("fhirproxy.cursors.LARGER", "1")
    gone = [lab(alice, f"gone-{number}") for number in range(3)]
    for reference in gone:
        delete(reference)

    assert told() == gone


def test_an_ehr_that_does_not_answer_leaves_a_gap_and_the_files(start, service, alice, monkeypatch):
    delete(lab(alice, "gone"))
    status = start(kickoff())
    ask = asking.ask

    def silent(source: Source, path: str, query=(), *, onward: bool = False):
        if path == "Observation/_history":
            raise asking.failure(source)
        return ask(source, path, query, onward=onward)

    monkeypatch.setattr(asking, "ask", silent)
    monkeypatch.setattr("exports.runs.PAUSES", ())
    made(ExportJob.objects.get())
    manifest = service.get(status).json()
    assert manifest["deleted"] == []
    assert {item["type"] for item in manifest["output"]} == {"Patient", "Observation"}
