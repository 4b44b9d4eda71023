"""Numbers of how writing goes, and the command of the runbooks."""

import re
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from consent import commands as consents
from fhirproxy import upstream
from fhirproxy.messages import FhirResponse, UpstreamUnavailable
from fhirproxy.models import WriteCommand, WriteEvent
from fhirproxy.writes import commands, dispatch, figures
from tests.writes.conftest import answers, clinician, command_of, in_chart

pytestmark = pytest.mark.django_db
RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
PLAIN = upstream.Embedded.send


def now_and_before():
    now = timezone.now()
    return now - timedelta(hours=1), now + timedelta(hours=1)


def writes(*args):
    out = StringIO()
    call_command("writes", *args, stdout=out)
    return out.getvalue()


def lose(patch, *, status=None):
    def send(self, request):
        if request.method == "GET":
            return PLAIN(self, request)
        if status:
            return FhirResponse(status, {}, b"{}")
        raise UpstreamUnavailable("the answer was lost")

    patch.setattr(upstream.Embedded, "send", send)


def test_nothing_is_said_of_nothing():
    found = figures.of(*now_and_before())

    assert (found.taken, found.with_key, found.conflicts, found.blocked) == (0, None, None, None)
    assert (found.to_review.count, found.to_review.median) == (0, None)


def test_shares_and_times_are_those_of_what_happened(app, alice, osei, reading, monkeypatch):
    sent = [command_of(app.post(reading(systolic=s), idempotency_key=f"k{s}")) for s in (120, 121)]
    command_of(app.post(reading(systolic=122)))
    by = {"requester": clinician(osei, alice), "by": osei}
    commands.approve(sent[0], **by)
    commands.send_back(sent[1], **by, reason="value.unlikely")
    with monkeypatch.context() as patch:
        lose(patch, status=412)
        dispatch.send(sent[0].id)
    with monkeypatch.context() as patch:
        lose(patch)
        form = command_of(app.post(answers(alice), idempotency_key="form"))
    dispatch.reconcile(form.id)
    consents.revoke(app.consent, by=alice.user)

    found = figures.of(*now_and_before())

    assert (found.taken, found.with_key) == (4, 0.75)
    assert found.conflicts == 0.5
    assert found.blocked_by == {"consent.revoked": 4}
    assert (found.to_review.count, found.to_reconcile.count) == (3, 1)
    assert found.to_review.median >= timedelta(0)
    assert found.troubles == {"plain": {"ehr.conflict": 1, "ehr.no-answer": 1, "ehr.not-found": 1}}
    assert figures.waiting() == []


def test_a_stay_is_counted_once_whatever_happens_in_it(app, alice, osei, reading):
    """A yes of two, or to pass on, is no new wait."""
    command = command_of(app.post(reading()))
    first = command.events.get(status="awaiting_review")
    WriteEvent.objects.create(command=command, status="awaiting_review", reason="review.passed-on")
    commands.approve(command, requester=clinician(osei, alice), by=osei)

    stay = figures.of(*now_and_before()).to_review
    end = WriteEvent.objects.get(command=command, status="approved")
    assert (stay.count, stay.median) == (1, end.at - first.at)


def test_what_was_lost_is_carried_on_by_command(app, alice, monkeypatch):
    with monkeypatch.context() as patch:
        lose(patch)
        command = command_of(app.post(answers(alice), idempotency_key="form"))
    assert "unknown" in writes("waiting")
    assert f"{command.id} embedded QuestionnaireResponse unknown ehr.no-answer tries 1" in writes("list")

    assert f"{command.id} applied" in writes("carry-on", "--source", command.source_id)
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1
    assert (writes("list"), writes("waiting")) == ("", "")
    assert "applied" in writes("list", "--consent", str(app.consent.pk))
    assert "taken" in writes("figures")


def test_what_failed_is_tried_again_and_nothing_else(app, alice, monkeypatch):
    with monkeypatch.context() as patch:
        lose(patch, status=400)
        app.post(answers(alice), idempotency_key="form")
    command = WriteCommand.objects.get()
    assert command.status == "failed"

    assert "applied" in writes("retry", str(command.id))
    with pytest.raises(CommandError):
        writes("retry", str(command.id))


def test_each_command_of_the_runbooks_is_one(tmp_path):
    """What they tell to type exists, with these words."""
    said = " ".join(re.sub(r"\s+", " ", page.read_text()) for page in sorted(RUNBOOKS.glob("*.md")))
    found = set(re.findall(r'ARGS="writes ([a-z-]+)', said))

    assert found == {"waiting", "figures", "list", "carry-on", "retry"}
