"""F8, F11: what an EHR says to a write, and that one approved change is in the chart once or not at all."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache

from fhirproxy import upstream
from fhirproxy.messages import FhirResponse, UpstreamUnavailable
from fhirproxy.writes import dispatch
from tests import factories
from tests.fhirproxy.test_writes import in_chart, submit

pytestmark = pytest.mark.django_db
PLAIN = upstream.Embedded.send


@pytest.fixture
def alice():
    cache.clear()
    return factories.alice()


@pytest.fixture
def command(alice):
    command = submit(alice)
    command.status = "approved"
    command.save()
    return command


def answering(patch, status, *, does=False, body=b"{}", **headers):
    """The EHR answers each write so, having done what was asked, or not; it answers reads as it does."""

    def send(self, request):
        if request.method == "GET":
            return PLAIN(self, request)
        if does:
            PLAIN(self, request)
        if status is None:
            raise UpstreamUnavailable("the answer was lost")
        return FhirResponse(status, headers, body)

    patch.setattr(upstream.Embedded, "send", send)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_F8_a_write_that_comes_at_a_bad_time_is_looked_for_and_sent_later(
    monkeypatch, alice, command, status
):
    with monkeypatch.context() as patch:
        answering(patch, status)
        assert dispatch.send(command.id).status == "unknown"
    assert in_chart(alice) == []

    assert dispatch.reconcile(command.id).status == "approved"
    assert dispatch.send(command.id).status == "applied"
    assert len(in_chart(alice)) == 1


@pytest.mark.parametrize("status", [None, 500, 502, 504])
def test_F11_a_write_whose_answer_was_lost_is_there_once(monkeypatch, alice, command, status):
    with monkeypatch.context() as patch:
        answering(patch, status, does=True)
        assert dispatch.send(command.id).status == "unknown"

    assert dispatch.reconcile(command.id).status == "applied"
    assert len(in_chart(alice)) == 1


@pytest.mark.parametrize("status", [409, 412])
def test_F11_a_conflict_is_for_a_person_and_not_sent_again(monkeypatch, alice, command, status):
    answering(monkeypatch, status)

    assert dispatch.send(command.id).status == "conflict"
    dispatch.sweep()
    command.refresh_from_db()
    assert (command.status, command.events.last().reason) == ("conflict", "ehr.conflict")
    assert in_chart(alice) == []


UNSAID = [
    b"",
    b"[]",
    b'{"resourceType":"Bundle","type":"transaction-response"}',
    b'{"resourceType":"Bundle","entry":[{"response":{"status":"201 Created"}}]}',
    b'{"resourceType":"Bundle","entry":[{"response":{"status":"400","location":"Observation/1"}}]}',
]


@pytest.mark.parametrize("body", UNSAID)
@pytest.mark.parametrize("does", [True, False])
def test_F11_a_success_without_a_location_is_looked_for(monkeypatch, alice, command, body, does):
    with monkeypatch.context() as patch:
        answering(patch, 201, does=does, body=body)
        assert dispatch.send(command.id).status == "unknown"

    assert dispatch.reconcile(command.id).status == ("applied" if does else "approved")


def test_F11_not_found_has_to_be_certain(monkeypatch, command):
    """Neither a search that failed within, nor one that shows another's, says that it is not there."""
    command.status = "unknown"
    command.save()
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    bundle = json.dumps({"resourceType": "Bundle", "entry": [{"resource": failed}]}).encode()

    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", lambda self, request: FhirResponse(200, {}, bundle))
        assert dispatch.reconcile(command.id).status == "unknown"
    other = bundle.replace(b"OperationOutcome", b"Observation")
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, request: FhirResponse(200, {}, other))
    assert dispatch.reconcile(command.id).status == "approved"


@pytest.mark.parametrize("status", [429, 503])
def test_F8_a_write_is_not_sent_before_the_ehr_wants_it(monkeypatch, alice, command, status):
    with monkeypatch.context() as patch:
        answering(patch, status, **{"retry-after": "900"})
        dispatch.send(command.id)
    monkeypatch.setattr(dispatch, "STUCK", timedelta(seconds=-1))  # the sweep looks at it right away

    dispatch.sweep()
    command.refresh_from_db()
    assert (command.status, in_chart(alice)) == ("unknown", [])

    cache.clear()  # the time is over
    dispatch.sweep()
    command.refresh_from_db()
    assert (command.status, len(in_chart(alice))) == ("applied", 1)
