"""F8, F11: one approved change is in the chart once, whatever the EHR is and says: the same asked of each."""

import json
from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Patient
from fhirproxy import asking, upstream
from fhirproxy.messages import FhirRequest, FhirResponse, Upstream, UpstreamUnavailable
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch, targets
from fhirproxy.writes.proposals import IDENTIFIER
from portal.readings import blood_pressure
from tests.ehr import cast
from tests.ehr.test_contract import Ehr, ehr
from tests.writes.conftest import own

__all__ = ["ehr"]  # the fixture
pytestmark = pytest.mark.django_db
REAL = upstream.of


@dataclass(frozen=True)
class Odd:
    """An EHR that does what is asked, or not, and says something else to what changes the chart."""

    real: Upstream
    status: int | None  # None: no answer
    does: bool

    def send(self, request: FhirRequest) -> FhirResponse:
        if request.method == "GET":
            return self.real.send(request)
        if self.does:
            assert self.real.send(request).status < 300
        if self.status is None:
            raise UpstreamUnavailable("the answer was lost")
        return FhirResponse(self.status, {}, b"{}")


def oddly(monkeypatch, status, *, does):
    monkeypatch.setattr(upstream, "of", lambda source: Odd(REAL(source), status, does))


@pytest.fixture
def alice(ehr: Ehr) -> Patient:
    cache.clear()
    patient = cast.app(ehr.source, ehr.patient_id).consent.patient
    return Patient.objects.get(pk=patient.pk)


def submit(alice: Patient, ehr: Ehr, resource: dict, key: str, **facts: str) -> WriteCommand:
    command = commands.submit(
        resource,
        requester=own(alice),
        patient=alice,
        author=alice.user,
        channel="portal",
        idempotency_scope=f"portal/{alice.user.pk}",
        idempotency_key=key,
        source=ehr.source,
        **facts,
    )
    commands.move(command, "approved", by=None)
    return command


def reading(ehr: Ehr) -> dict:
    return blood_pressure(systolic=128, diastolic=82, taken_at=timezone.now(), patient_id=ehr.patient_id)


@pytest.fixture
def approved(alice: Patient, ehr: Ehr) -> WriteCommand:
    return submit(alice, ehr, reading(ehr), "1")


def written(command: WriteCommand, source) -> list[dict]:
    """What the EHR has with the id of a command in it."""
    query = (("identifier", f"{IDENTIFIER}|{command.id}"),)
    found = [json.loads(body) for body in asking.pages(source, command.resource_type, query)]
    return [each for each in found if {"system": IDENTIFIER, "value": str(command.id)} in each["identifier"]]


def test_a_change_is_written_with_its_provenance(ehr, approved):
    command = dispatch.send(approved.id)

    (found,) = written(command, ehr.source)
    assert (command.status, command.result.partition("/_history")[0]) == (
        "applied",
        f"Observation/{found['id']}",
    )
    provenance = json.loads(asking.ask(ehr.source, command.provenance).body)
    assert provenance["resourceType"] == "Provenance"
    assert provenance["entity"][0]["what"]["identifier"]["value"] == str(command.id)
    assert provenance["signature"][0]["sigFormat"] == "application/jose"


@pytest.mark.parametrize("status", [None, 504, 500, 429, 201, 200])
def test_F11_a_change_that_was_made_and_not_said_is_found_and_there_once(ehr, approved, monkeypatch, status):
    """Lost; accepted and timed out; 201 without a Location."""
    with monkeypatch.context() as patch:
        oddly(patch, status, does=True)
        assert dispatch.send(approved.id).status == "unknown"

    assert dispatch.reconcile(approved.id).status == "applied"
    assert len(written(approved, ehr.source)) == 1


@pytest.mark.parametrize("status", [None, 503, 201])
def test_F8_a_change_that_was_not_made_is_sent_again_after_it_was_looked_for(
    ehr, approved, monkeypatch, status
):
    with monkeypatch.context() as patch:
        oddly(patch, status, does=False)
        assert dispatch.send(approved.id).status == "unknown"

    assert dispatch.reconcile(approved.id).status == "approved"
    assert dispatch.send(approved.id).status == "applied"
    assert len(written(approved, ehr.source)) == 1


def test_F11_even_a_blind_second_send_makes_no_second_resource(ehr, approved, monkeypatch):
    """What none of our code does; the condition on the identifier holds even then."""
    with monkeypatch.context() as patch:
        oddly(patch, None, does=True)
        dispatch.send(approved.id)
    WriteCommand.objects.update(status="approved")

    assert dispatch.send(approved.id).status == "applied"
    assert len(written(approved, ehr.source)) == 1


@pytest.mark.parametrize("status", [409, 412])
def test_F11_a_conflict_is_for_a_person(ehr, approved, monkeypatch, status):
    with monkeypatch.context() as patch:
        oddly(patch, status, does=False)
        assert dispatch.send(approved.id).status == "conflict"

    assert dispatch.send(approved.id).status == "conflict"
    assert written(approved, ehr.source) == []


class TestUpdates:
    @pytest.fixture
    def stored(self, ehr, approved):
        """What was written, as the EHR has it, with its version; skipped where the EHR keeps none."""
        dispatch.send(approved.id)
        (found,) = written(approved, ehr.source)
        answer = asking.ask(ehr.source, f"Observation/{found['id']}")
        version = targets.version_of(answer, json.loads(answer.body))
        if not version:
            pytest.skip("this EHR says no version")
        return json.loads(answer.body), version

    def update(self, alice, ehr, stored, text, key):
        resource, version = stored
        changed = resource | {"note": [{"text": text}]}
        target = f"Observation/{resource['id']}"
        return submit(alice, ehr, changed, key, target=target, base_version=version)

    def test_an_update_is_made_on_the_version_that_was_seen(self, alice, ehr, stored):
        command = self.update(alice, ehr, stored, "one", "2")

        assert dispatch.send(command.id).status == "applied"
        (found,) = written(command, ehr.source)
        assert found["note"] == [{"text": "one"}]
        assert targets.now(command.source, command.target)[1] != stored[1]

    def test_F11_a_stale_version_changes_nothing(self, alice, ehr, stored):
        one, two = (self.update(alice, ehr, stored, text, text) for text in ("one", "two"))
        dispatch.send(one.id)

        assert dispatch.send(two.id).status == "conflict"
        assert written(two, ehr.source) == []
        assert len(written(one, ehr.source)) == 1

    @pytest.mark.parametrize("does", [True, False])
    def test_F11_an_update_whose_answer_was_lost_is_found_or_sent(
        self, alice, ehr, stored, monkeypatch, does
    ):
        command = self.update(alice, ehr, stored, "one", "2")
        with monkeypatch.context() as patch:
            oddly(patch, None, does=does)
            assert dispatch.send(command.id).status == "unknown"

        assert dispatch.reconcile(command.id).status == ("applied" if does else "approved")
        assert dispatch.send(command.id).status == "applied"
        assert json.loads(targets.now(command.source, command.target)[0])["note"] == [{"text": "one"}]

    def test_F11_an_update_that_was_lost_and_overwritten_is_found_in_the_history(
        self, alice, ehr, stored, monkeypatch
    ):
        command = self.update(alice, ehr, stored, "one", "2")
        with monkeypatch.context() as patch:
            oddly(patch, None, does=True)
            dispatch.send(command.id)
        body, version = targets.now(command.source, command.target)
        other = {k: v for k, v in json.loads(body).items() if k not in ("identifier", "note")}
        headers = {"Content-Type": upstream.FHIR_JSON, "If-Match": f'W/"{version}"'}
        REAL(ehr.source).send(
            FhirRequest("PUT", command.target, headers=headers, body=json.dumps(other).encode())
        )

        assert dispatch.reconcile(command.id).status == "applied"


def test_without_a_version_nothing_is_updated(alice, ehr, approved):
    """An EHR that says no version cannot be asked to change only what was seen."""
    dispatch.send(approved.id)
    (found,) = written(approved, ehr.source)
    target = f"Observation/{found['id']}"
    with pytest.raises(commands.StaleVersion):
        submit(alice, ehr, found, "2", target=target, base_version="")
