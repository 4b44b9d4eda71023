"""Records that leave by portions of the store: what is in them is what the gate would give, one by one."""

import json

import pytest

from accounts.models import Patient
from audit.models import AuditEvent
from consent import commands as consents
from consent import valuesets
from consent.valueset_files import Loaded, ValueSet
from consent.versions import Act
from exports.bulk import source
from exports.models import ExportJob
from fhirproxy import stamps
from fhirproxy.served import RECORD
from fhirstore.models import Resource
from smart.scopes import Scope
from tests import factories
from tests.exports.bulk.conftest import run
from tests.exports.bulk.service import Service
from tests.exports.bulk.test_consent import SCOPES, SUD, by_the_gate

pytestmark = pytest.mark.django_db
ALL = f"Group/diabetes-2026/$export?_type={','.join(RECORD)}"
ASTHMA = {"system": "http://snomed.info/sct", "code": "195967001"}


@pytest.fixture(autouse=True)
def _stamps():
    stamps.release.cache_clear()  # another test may have had others


def mixed(patient: Patient, other: Patient) -> list[dict]:
    """Records that are decided on as one, and one of each that is not."""
    mine, theirs = factories.fhir_id(patient), f"Patient/{factories.fhir_id(other)}"
    subject = {"subject": {"reference": f"Patient/{mine}"}}
    condition = {"resourceType": "Condition", **subject}
    lab = factories.lab_result
    return [
        *(lab(patient, f"{mine}-{n}") for n in range(3)),
        lab(patient, f"{mine}-private", meta=SUD),
        lab(patient, f"{mine}-vital", category=[{"coding": [{"code": "vital-signs"}]}]),
        lab(patient, f"{mine}-of-private", derivedFrom=[{"reference": f"Observation/{mine}-private"}]),
        lab(patient, f"{mine}-of-plain", derivedFrom=[{"reference": f"Observation/{mine}-0"}]),
        lab(patient, f"{mine}-by-another", performer=[{"reference": theirs}]),
        {**condition, "id": f"{mine}-asthma", "code": {"coding": [ASTHMA]}},
        {**condition, "id": f"{mine}-of-another", "recorder": {"reference": theirs}},
        {
            **condition,
            "id": f"{mine}-around",
            "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": "Somebody"}]}],
        },
        {
            "resourceType": "Appointment",
            "id": f"{mine}-both",
            "status": "booked",
            "participant": [
                {"actor": {"reference": who}, "status": "accepted"} for who in (f"Patient/{mine}", theirs)
            ],
        },
        {
            "resourceType": "DocumentReference",
            "id": f"{mine}-letter",
            "status": "current",
            **subject,
            "content": [{"attachment": {"contentType": "text/plain", "data": "bGV0dGVy"}}],
        },
    ]


def exported(service: Service, status: str, scope: str, patient: Patient) -> set[tuple[str, str]]:
    found = set()
    for item in service.get(status, scope=scope).json()["output"]:
        content = b"".join(service.get(item["url"], scope=scope).streaming_content)
        assert len(content.splitlines()) == item["count"]
        found |= {(item["type"], json.loads(line)["id"]) for line in content.splitlines()}
    return {one for one in found if factories.fhir_id(patient) in one[1]}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("opted_out", [False, True])
def test_what_is_exported_is_what_the_gate_gives(service, start, alice, mallory, scope, opted_out):
    factories.load_records(*mixed(alice, mallory), *mixed(mallory, alice))
    if opted_out:
        act = Act(by=alice.user, channel="portal")
        consents.prefer(patient=alice, directive="operations", permit=False, act=act)
    types = [kind for kind in RECORD if "system/*.rs" in scope or f"system/{kind}.rs" in scope]
    status = start(f"Group/diabetes-2026/$export?_type={','.join(types)}", scope=scope)
    run()

    parsed = tuple(Scope.parse_all(scope))
    for patient in (alice, mallory):
        expected = {one for one in by_the_gate(service, patient, parsed) if one[0] in types}
        assert exported(service, status, scope, patient) == expected


def test_what_is_plain_is_not_looked_into(export, alice, mallory, monkeypatch):
    looked_at: list[str] = []
    plain = source.exporting.see

    def see(call, bodies):
        bodies = list(bodies)
        looked_at.extend(json.loads(body)["id"] for body in bodies)
        return plain(call, bodies)

    factories.load_records(*mixed(alice, mallory))
    monkeypatch.setattr(source.exporting, "see", see)
    manifest, _ = export(ALL)

    mine = factories.fhir_id(alice)
    ends = ("of-private", "of-plain", "by-another", "of-another", "around", "letter")
    assert set(looked_at) == {f"{mine}-{end}" for end in ends}
    events = AuditEvent.objects.filter(type="export:give")
    event = events.get(patient=f"Patient/{alice.pk}")
    assert sum(each.count for each in events) == sum(item["count"] for item in manifest["output"])
    assert (event.count, event.detail["withheld"]) == (9, 5)
    assert event.resource_types == ["Condition", "DocumentReference", "Observation", "Patient"]


def test_a_new_release_of_value_sets_hides_what_was_stamped_before(export, alice, mallory):
    """And stamps it anew, so that the next export need not look."""
    factories.load_records(*mixed(alice, mallory))
    asthma = f"{factories.fhir_id(alice)}-asthma"
    ids = {one["id"] for one in export(ALL)[1]["Condition"]}
    before = Resource.objects.get(fhir_id=asthma).stamp
    coded = {(ASTHMA["system"], ASTHMA["code"])}
    made = ValueSet("private.json", "http://example.test/private", frozenset({"HIV"}), coded)
    valuesets.load(Loaded((), (made,), (), ()), by="System/console")

    assert asthma in ids
    assert asthma not in {one["id"] for one in export(ALL)[1].get("Condition", [])}
    stamped = Resource.objects.get(fhir_id=asthma)
    release = valuesets.current_release()
    body, codes = stamped.body.encode(), valuesets.codes(release)
    facts = stamps.facts_of(json.loads(body), body, stamped.patient, codes)
    assert stamped.stamp == stamps.stamp(facts, release) != before
    assert asthma not in {one["id"] for one in export(ALL)[1].get("Condition", [])}
    assert {job.status for job in ExportJob.objects.all()} == {"completed"}


def test_a_record_that_was_rewritten_has_the_stamp_of_what_it_says_now(alice):
    mine = factories.fhir_id(alice)
    factories.load_records(factories.lab_result(alice, f"{mine}-1"))
    before = Resource.objects.get(fhir_id=f"{mine}-1").stamp
    factories.load_records(factories.lab_result(alice, f"{mine}-1", meta=SUD))

    now = Resource.objects.get(fhir_id=f"{mine}-1").stamp
    assert before not in (None, stamps.ALONE)
    assert now not in (None, stamps.ALONE, before)
