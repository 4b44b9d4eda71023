"""F8, F11: an EHR that says "not now" to a write has not refused it."""

import pytest

from fhirproxy import upstream
from fhirproxy.messages import FhirResponse
from fhirproxy.writes import dispatch
from tests import factories
from tests.fhirproxy.test_writes import in_chart, submit

pytestmark = pytest.mark.django_db


def test_F8_a_write_that_comes_at_a_bad_time_is_looked_for_and_sent_later(monkeypatch):
    alice = factories.alice()
    command = submit(alice)
    command.status = "approved"
    command.save()

    def busy(self, request):
        return FhirResponse(429, {"retry-after": "60"}, b"{}")

    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", busy)
        assert dispatch.send(command.id).status == "unknown"
    assert in_chart(alice) == []

    assert dispatch.reconcile(command.id).status == "approved"
    assert dispatch.send(command.id).status == "applied"
    assert len(in_chart(alice)) == 1
