"""From a reading to the chart: once, reviewed, and never after a no."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from consent import authority
from fhirproxy import treating, upstream
from fhirproxy.models import WriteCommand, WriteEvent
from fhirproxy.writes import commands, dispatch
from fhirproxy.writes.states import TRANSITIONS, WrongState, diagram
from portal.readings import blood_pressure
from tests import factories

pytestmark = pytest.mark.django_db


def reading(patient, systolic=128):
    return blood_pressure(
        systolic=systolic,
        diastolic=82,
        taken_at=timezone.now(),
        patient_id=factories.fhir_id(patient),
    )


def submit(patient, resource=None, key="key-1"):
    return commands.submit(
        resource or reading(patient),
        requester=authority.for_own_record(patient.user, patient, timezone.now()),
        patient=patient,
        author=patient.user,
        channel="portal",
        idempotency_scope=f"portal/{patient.user.pk}",
        idempotency_key=key,
    )


def clinician(user, patient):
    treats = treating.treats(user, patient)
    return authority.for_clinician(user, patient, timezone.now(), treats=treats)


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def osei(alice):
    return factories.dr_osei(treats=[alice])


def in_chart(patient):
    query = (("patient", factories.fhir_id(patient)), ("code", "http://loinc.org|85354-9"))
    answer = upstream.Embedded().send(upstream.FhirRequest("GET", "Observation", query))
    return [e["resource"] for e in json.loads(answer.body).get("entry", [])]


def test_a_reading_waits_for_a_clinician(alice):
    command = submit(alice)

    assert command.status == "awaiting_review"
    assert [e.status for e in command.events.all()] == ["received", "validated", "awaiting_review"]
    assert in_chart(alice) == []
    assert AuditEvent.objects.filter(type="write:submit", target=f"WriteCommand/{command.id}").exists()


def test_an_approved_reading_is_in_the_chart_with_its_provenance(alice, osei):
    command = submit(alice)
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    command = dispatch.send(command.id)

    assert command.status == "applied"
    (observation,) = in_chart(alice)
    assert command.result.startswith(f"Observation/{observation['id']}")
    query = (("target", f"Observation/{observation['id']}"),)
    answer = upstream.Embedded().send(upstream.FhirRequest("GET", "Provenance", query))
    (entry,) = json.loads(answer.body)["entry"]
    assert entry["resource"]["agent"][0]["who"]["reference"] == f"Patient/{factories.fhir_id(alice)}"


def test_the_same_key_and_body_is_the_same_command(alice):
    resource = reading(alice)

    assert submit(alice, resource).id == submit(alice, resource).id


def test_A25_the_same_key_with_another_body_is_refused(alice):
    submit(alice)
    with pytest.raises(commands.KeyReused):
        submit(alice, reading(alice, systolic=140))

    assert WriteCommand.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_A25_P14_many_sends_with_one_key_write_once():
    alice = factories.alice()
    osei = factories.dr_osei(treats=[alice])
    resource = reading(alice)

    def send(_):
        try:
            return submit(alice, resource).id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(send, range(24)))
    (command_id,) = answers
    commands.approve(WriteCommand.objects.get(), requester=clinician(osei, alice), by=osei)

    def dispatch_it(_):
        try:
            return dispatch.send(command_id).status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(dispatch_it, range(8)))
    assert WriteCommand.objects.get().status == "applied"
    assert len(in_chart(alice)) == 1


def test_a_lost_answer_is_looked_for_and_not_sent_again(alice, osei, monkeypatch):
    command = submit(alice)
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    send = upstream.Embedded.send

    def written_but_not_said(self, request):
        answer = send(self, request)
        if request.method == "POST":
            raise upstream.UpstreamUnavailable("the answer was lost")
        return answer

    monkeypatch.setattr(upstream.Embedded, "send", written_but_not_said)
    assert dispatch.send(command.id).status == "unknown"
    assert dispatch.reconcile(command.id).status == "applied"
    assert len(in_chart(alice)) == 1


def test_an_ehr_that_is_down_leaves_it_to_be_sent_again(alice, osei, monkeypatch):
    command = submit(alice)
    commands.approve(command, requester=clinician(osei, alice), by=osei)

    def down(self, request):
        raise upstream.UpstreamUnavailable("no route")

    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", down)
        assert dispatch.send(command.id).status == "unknown"
        assert dispatch.reconcile(command.id).status == "unknown"
    assert dispatch.reconcile(command.id).status == "approved"
    assert dispatch.send(command.id).status == "applied"


def test_a_clinician_who_does_not_treat_the_patient_may_not_decide(alice, osei):
    stranger = factories.create_staff("Dr. Who", "clinician", practitioner="Practitioner/dr-who")
    command = submit(alice)
    with pytest.raises(commands.NotAllowed):
        commands.approve(command, requester=clinician(stranger, alice), by=stranger)

    command.refresh_from_db()
    assert command.status == "awaiting_review"
    assert AuditEvent.objects.filter(outcome="deny", actor=f"User/{stranger.pk}").exists()


def test_only_one_of_two_clinicians_decides(alice, osei):
    command = submit(alice)
    by_osei = clinician(osei, alice)
    commands.send_back(command, requester=by_osei, by=osei, reason="value.unlikely")
    with pytest.raises(WrongState):
        commands.approve(command, requester=by_osei, by=osei)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"reference": "Patient/someone-else"}},
        {"subject": None},
        {"status": None},
        {"nonsense": True},
    ],
)
def test_A10_a_reading_that_is_not_hers_or_no_fhir_is_refused(alice, change):
    resource = {k: v for k, v in (reading(alice) | change).items() if v is not None}
    with pytest.raises(commands.InvalidResource):
        submit(alice, resource)

    assert not WriteCommand.objects.exists()


def test_every_state_has_its_row_and_every_row_leads_to_states():
    states = set(WriteCommand.Status)

    assert set(TRANSITIONS) == states
    assert {then for row in TRANSITIONS.values() for then in row} <= states
    reached = {then for row in TRANSITIONS.values() for then in row} | {WriteCommand.Status.RECEIVED}
    assert reached == states


def test_history_is_only_added_to(alice):
    command = submit(alice)

    assert WriteEvent.objects.filter(command=command).count() == 3


def test_the_picture_in_the_docs_is_the_table():
    """To renew it, put what this prints into docs/states.md."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "states.md").read_text()

    assert diagram() in page, diagram()
