"""What patients chose holds for exports of many: the same decision as at the gate, at the same moment."""

import json

import pytest

from audit.models import AuditEvent
from consent import authority, directives
from consent import commands as consents
from consent.versions import Act
from exports import runs
from exports.bulk import approvals, source
from exports.bulk.kickoff import PROVENANCE
from exports.models import ExportJob
from fhirproxy import gate, interactions
from fhirproxy.outcomes import Refusal
from fhirproxy.served import RECORD
from smart.scopes import Scope
from tests import factories
from tests.exports.bulk.conftest import run
from tests.exports.bulk.service import Service, a_group, an_administrator, approved

pytestmark = pytest.mark.django_db
GROUP = "Group/diabetes-2026/$export"
SUD = {
    "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}],
}


@pytest.fixture(autouse=True)
def _defaults():
    yield
    forget()


def forget() -> None:
    directives.directives.cache_clear()
    directives.defaults.cache_clear()


def choose(patient, directive: str, *, permit: bool):
    act = Act(by=patient.user, channel="portal")
    return consents.prefer(patient=patient, directive=directive, permit=permit, act=act)


def people(resources) -> set[str]:
    return {resource["id"] for resource in resources.get("Patient", [])}


def test_who_opted_out_is_left_out_and_reads_of_it(export, alice, mallory):
    choose(alice, "operations", permit=False)

    assert people(export()[1]) == {factories.fhir_id(mallory)}
    (refused,) = AuditEvent.objects.filter(type="export:give", outcome="deny")
    assert (refused.patient, refused.reasons) == (f"Patient/{alice.pk}", ["consent.denied"])


def test_an_opt_out_of_another_use_changes_nothing(export, alice, mallory):
    choose(alice, "payment", permit=False)
    assert len(people(export()[1])) == 2


def test_for_research_only_who_opted_in_comes(alice, mallory, export, service):
    researcher = Service("Study")
    approved(researcher, a_group(alice, mallory, id="study"), "HRESCH")
    choose(alice, "research", permit=True)

    answer = researcher.get("Group/study/$export")
    run()
    manifest = researcher.get(answer["Content-Location"]).json()
    counts = {item["type"]: item["count"] for item in manifest["output"]}
    assert counts["Patient"] == 1
    assert {e.patient for e in AuditEvent.objects.filter(type="export:give", outcome="permit")} == {
        f"Patient/{alice.pk}"
    }


def test_a_site_makes_operations_an_opt_in(export, alice, mallory, settings):
    settings.DIRECTIVE_DEFAULTS = {"operations": "deny"}
    forget()
    assert export()[0]["output"] == []

    choose(mallory, "operations", permit=True)
    assert people(export()[1]) == {factories.fhir_id(mallory)}


def test_private_topics_stay_closed(export, alice):
    private = factories.lab_result(alice, f"{factories.fhir_id(alice)}-private", meta=SUD)
    factories.load_records(private)

    assert private["id"] not in {one["id"] for one in export()[1]["Observation"]}


def test_F13_who_opts_out_while_it_runs_is_not_in_the_next_batch(service, start, alice, mallory, monkeypatch):
    monkeypatch.setattr(source, "BATCH", 1)
    monkeypatch.setattr(runs, "SLICE", -1.0)  # one batch a slice
    status = start(GROUP + "?_type=Patient")
    first, last = sorted((alice, mallory), key=lambda patient: patient.pk)
    run()
    choose(last, "operations", permit=False)
    while ExportJob.objects.get().status in ("preparing", "running", "packaging"):
        runs.run(ExportJob.objects.get().pk)

    (item,) = service.get(status).json()["output"]
    content = b"".join(service.get(item["url"]).streaming_content)
    assert [json.loads(line)["id"] for line in content.splitlines()] == [factories.fhir_id(first)]


def test_F13_who_opts_out_at_the_very_last_look_is_decided_on_again(
    service, export, alice, mallory, monkeypatch
):
    plain, done = source.exporting.read, []

    def read(requester, *rest, **more):
        part = plain(requester, *rest, **more)
        if requester.patient_id == alice.pk and not done:
            done.append(choose(alice, "operations", permit=False))  # after it was decided, before the log
        return part

    monkeypatch.setattr(source.exporting, "read", read)
    assert people(export()[1]) == {factories.fhir_id(mallory)}
    assert done


def test_A23_who_opts_out_afterwards_takes_the_files_along(service, export, alice):
    manifest, _ = export()
    url = manifest["output"][0]["url"]
    choose(alice, "operations", permit=False)

    assert (service.get(url).status_code, service.get(url.rpartition("/")[0]).status_code) == (410, 410)
    job = ExportJob.objects.get()
    assert (job.status, job.reason, job.wrapped_key) == ("blocked", "consent.changed", "")
    assert factories.fhir_id(alice) not in people(export()[1])


def test_the_end_of_an_approval_ends_what_runs(service, start):
    status = start()
    approvals.end(ExportJob.objects.get().approval, by=an_administrator())
    approved(service, a_group(factories.tom(), id="another"))
    run()

    assert service.get(status).status_code == 410
    assert not AuditEvent.objects.filter(type="export:give").exists()


CHOICES = [(), ("operations", False), ("operations", True), ("payment", False)]
SCOPES = [
    "system/*.rs",
    "system/Patient.rs system/Condition.rs",
    "system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory "
    "system/Patient.rs",
]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("choice", CHOICES)
def test_the_filter_is_the_gates(service, start, alice, choice, scope):
    """Whatever the gate would let this service read, search by search, is in the files, and nothing else."""
    mine = factories.fhir_id(alice)
    subject = {"reference": f"Patient/{mine}"}
    factories.load_records(
        factories.lab_result(alice, f"{mine}-private", meta=SUD),
        factories.lab_result(alice, f"{mine}-vital", category=[{"coding": [{"code": "vital-signs"}]}]),
        {"resourceType": "Condition", "id": f"{mine}-c", "subject": subject, "code": {"text": "Asthma"}},
    )
    if choice:
        choose(alice, choice[0], permit=choice[1])
    status = start(GROUP, scope=scope)
    run()
    manifest = service.get(status, scope=scope).json()
    exported = set()
    for item in manifest["output"]:
        content = b"".join(service.get(item["url"], scope=scope).streaming_content)
        exported |= {(item["type"], json.loads(line)["id"]) for line in content.splitlines()}

    assert {one for one in exported if mine in one[1] and one[0] != PROVENANCE} == by_the_gate(
        service, alice, tuple(Scope.parse_all(scope))
    )


def by_the_gate(service, patient, scopes) -> set[tuple[str, str]]:
    found = set()
    for kind in RECORD:
        (requester,) = authority.for_service(service.client, [patient.pk], "HOPERAT", scopes)
        try:
            answer = gate.serve(requester, interactions.search(kind, [("_count", "200")]))
        except Refusal:  # nothing of this type
            continue
        entries = json.loads(answer.body).get("entry", [])
        found |= {(kind, entry["resource"]["id"]) for entry in entries}
    return found
