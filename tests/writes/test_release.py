"""F13: what let a change in is looked at once more, in the statement that lets it go to the EHR."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands as consents
from consent.models import Consent
from consent.versions import Act
from fhirproxy import upstream
from fhirproxy.messages import FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from notices.models import Notice
from smart.models import Client
from tests import factories
from tests.writes.conftest import answers, clinician, command_of, in_chart, own

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(app, alice, osei, reading):
    command = command_of(app.post(reading()))
    return commands.approve(command, requester=clinician(osei, alice), by=osei)


def test_a_revoke_blocks_what_waits_and_says_so(app, alice, approved):
    consents.revoke(app.consent, by=alice.user)

    approved.refresh_from_db()
    assert (approved.status, approved.reason) == ("blocked", "consent.revoked")
    assert dispatch.send(approved.id).status == "blocked"
    assert in_chart(alice) == []
    assert Notice.objects.filter(kind="write_blocked", recipient=f"User/{alice.user.pk}").exists()
    assert AuditEvent.objects.filter(type="write:block", outcome="deny").count() == 1


# What ended although nobody told the writes of it, and what the log calls it.
ENDED = {
    "consent.revoked": lambda consent: {
        "status": "inactive",
        "revoked_at": timezone.now(),
        "revoked_by": consent.patient.user,
    },
    "consent.paused": lambda consent: {"status": "paused"},
    "consent.expired": lambda consent: {"period_end": timezone.now() - timedelta(seconds=1)},
    "consent.changed": lambda consent: {"current_number": consent.current_number + 1},
}


@pytest.mark.parametrize("reason", ENDED)
def test_what_ended_unheard_is_found_when_it_is_to_be_sent(app, alice, approved, reason):
    Consent.objects.filter(pk=app.consent.pk).update(**ENDED[reason](app.consent))

    command = dispatch.send(approved.id)

    assert (command.status, command.reason) == ("blocked", reason)
    assert in_chart(alice) == []
    assert not AuditEvent.objects.filter(type="write:send").exists()


def test_an_app_that_was_suspended_sends_nothing(app, alice, approved):
    Client.objects.filter(pk=app.consent.client_id).update(status="suspended")

    assert dispatch.send(approved.id).reason == "app.suspended"


def test_whose_account_was_closed_sends_nothing(alice, osei, reading):
    command = commands.submit(
        reading(),
        requester=own(alice),
        patient=alice,
        author=alice.user,
        channel="portal",
        idempotency_scope="portal/1",
        idempotency_key="1",
    )
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    alice.user.is_active = False
    alice.user.save()

    assert dispatch.send(command.id).reason == "account.closed"


def test_a_revoke_while_the_ehr_answers_leaves_what_was_released_and_nothing_after(app, alice, monkeypatch):
    """Released before the revoke: it is in the chart, once. Its lost answer is found."""
    send = upstream.Embedded.send

    def revoked_meanwhile(self, request):
        answer = send(self, request)
        if request.method == "POST":
            consents.revoke(app.consent, by=alice.user)
            raise UpstreamUnavailable("the answer was lost")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", revoked_meanwhile)
        app.post(answers(alice), idempotency_key="k")
    command = WriteCommand.objects.get()
    assert command.status == "unknown"
    assert dispatch.reconcile(command.id).status == "applied"
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1


def test_a_lost_change_is_not_sent_again_after_a_revoke(app, alice, approved, monkeypatch):
    with monkeypatch.context() as patch:
        lost = UpstreamUnavailable("nobody there")
        patch.setattr(upstream.Embedded, "send", lambda self, request: (_ for _ in ()).throw(lost))
        assert dispatch.send(approved.id).status == "unknown"
    consents.revoke(app.consent, by=alice.user)

    assert dispatch.reconcile(approved.id).status == "approved"
    assert dispatch.send(approved.id).status == "blocked"
    assert in_chart(alice) == []


@pytest.mark.django_db(transaction=True)
def test_a_revoke_and_a_dispatch_at_the_same_moment_are_in_one_order(app, alice, osei, reading):
    """Whichever comes first: blocked and nothing in the chart, or released and in it. Never a deadlock."""
    ids = []
    for systolic in range(110, 116):
        command = command_of(app.post(reading(systolic=systolic)))
        commands.approve(command, requester=clinician(osei, alice), by=osei)
        ids.append(command.id)
    start = threading.Barrier(4)

    def together(act):
        try:
            start.wait(20)
            act()
        finally:
            connection.close()

    acts = [lambda: consents.revoke(app.consent, by=alice.user)]
    acts += [lambda mine=mine: [dispatch.send(i) for i in mine] for mine in (ids[::3], ids[1::3], ids[2::3])]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(together, acts))

    states = list(WriteCommand.objects.values_list("status", flat=True))
    assert set(states) <= {"applied", "blocked"}
    assert len(in_chart(alice)) == states.count("applied")
    released = AuditEvent.objects.filter(type="write:send").values_list("target", flat=True)
    assert len(released) == states.count("applied")


@pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.RESTING, Trouble.CREDENTIALS])
def test_an_ehr_that_is_left_alone_got_nothing_and_it_stays_approved(alice, approved, monkeypatch, trouble):
    left_alone = UpstreamUnavailable("it failed too often", trouble)
    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", lambda self, request: (_ for _ in ()).throw(left_alone))
        command = dispatch.send(approved.id)

    assert (command.status, command.reason) == ("approved", "ehr.not-sent")
    assert dispatch.send(approved.id).status == "applied"


def test_tries_come_further_and_further_apart(approved, monkeypatch):
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, request: FhirResponse(503, {}, b""))
    pauses = []
    for _ in range(4):
        dispatch.send(approved.id)
        command = WriteCommand.objects.get()
        last = command.events.last().at
        pauses.append(
            next(m for m in (1, 2, 4, 8, 16) if dispatch._is_due(command, last + dispatch.STUCK * m * 1.01))
        )
        commands.move(command, "approved", by=None, reason="ehr.not-found")

    assert pauses == [1, 2, 4, 8]


class TestOrder:
    @pytest.fixture
    def two(self, app, alice, osei, reading):
        """Two updates of one resource, both approved, the older one first."""
        first = command_of(app.post(reading()))
        commands.approve(first, requester=clinician(osei, alice), by=osei)
        dispatch.send(first.id)
        (found,) = in_chart(alice)
        etag = f'W/"{found["meta"]["versionId"]}"'
        made = []
        for text in ("one", "two"):
            command = command_of(app.put(found | {"note": [{"text": text}]}, if_match=etag))
            made.append(commands.approve(command, requester=clinician(osei, alice), by=osei))
        return made

    def test_the_older_goes_first(self, two, alice):
        older, newer = two

        assert dispatch.send(newer.id).status == "approved"
        assert dispatch.send(older.id).status == "applied"
        assert dispatch.send(newer.id).status == "conflict"
        assert in_chart(alice)[0]["note"] == [{"text": "one"}]

    def test_what_met_another_change_is_taken_up_to_it_and_looked_at_again(self, two, alice, osei):
        older, newer = two
        dispatch.send(older.id)
        newer = dispatch.send(newer.id)

        differences, merged = commands.compare(newer)
        assert [d.name for d in differences] == ["note"]
        assert merged["note"] == [{"text": "one"}, {"text": "two"}]
        newer = commands.rebase(newer, requester=clinician(osei, alice), by=osei)
        assert newer.status == "awaiting_review"
        commands.approve(newer, requester=clinician(osei, alice), by=osei)
        assert dispatch.send(newer.id).status == "applied"
        assert in_chart(alice)[0]["note"] == [{"text": "one"}, {"text": "two"}]


class TestTwo:
    @pytest.fixture
    def allergy(self, alice):
        resource = {
            "resourceType": "AllergyIntolerance",
            "patient": {"reference": f"Patient/{factories.fhir_id(alice)}"},
            "code": {"text": "Nuts"},
        }
        return commands.submit(
            resource,
            requester=own(alice),
            patient=alice,
            author=alice.user,
            channel="portal",
            idempotency_scope="portal/1",
            idempotency_key="1",
        )

    def test_two_clinicians_say_yes(self, alice, osei, allergy):
        other = factories.create_staff("Dr. Lee", "clinician", practitioner="Practitioner/dr-osei")

        assert commands.waits_for(allergy) == 2
        first = commands.approve(allergy, requester=clinician(osei, alice), by=osei)
        assert (first.status, commands.waits_for(first)) == ("awaiting_review", 1)
        with pytest.raises(commands.WrongState):
            commands.approve(allergy, requester=clinician(osei, alice), by=osei)
        assert commands.approve(allergy, requester=clinician(other, alice), by=other).status == "approved"

        dispatch.send(allergy.id)
        query = (("target", WriteCommand.objects.get().result.partition("/_h")[0]),)
        answer = upstream.Embedded().send(upstream.FhirRequest("GET", "Provenance", query))
        (entry,) = json.loads(answer.body)["entry"]
        kinds = [a["type"]["coding"][0]["code"] for a in entry["resource"]["agent"]]
        assert sorted(kinds) == ["author", "transmitter", "verifier", "verifier"]


def test_undo_takes_back_what_was_written_as_a_change_of_its_own(app, alice, osei, reading):
    command = command_of(app.post(reading()))
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    done = dispatch.send(command.id)

    again = commands.undo(done, requester=own(alice), by=alice.user, key="undo-1")
    assert (again.undoes, again.status, again.interaction) == (done, "awaiting_review", "update")
    commands.approve(again, requester=clinician(osei, alice), by=osei)
    assert dispatch.send(again.id).status == "applied"
    assert [o["status"] for o in in_chart(alice)] == ["entered-in-error"]
    with pytest.raises(commands.StaleVersion):
        commands.undo(done, requester=own(alice), by=alice.user, key="undo-2")


def test_what_was_sent_back_comes_again_as_a_new_one(alice, osei, app, reading):
    command = command_of(app.post(reading()))
    commands.send_back(command, requester=clinician(osei, alice), by=osei, reason="value.unlikely")
    command.refresh_from_db()

    again = commands.repropose(command, reading(systolic=126), requester=own(alice), by=alice.user, key="2")

    command.refresh_from_db()
    assert (command.status, again.status) == ("cancelled", "awaiting_review")
    assert again.id != command.id


def test_pausing_everything_blocks_what_waits(app, alice, approved):
    consents.pause_all(alice, act=Act(by=alice.user, channel="portal", role="patient"))

    assert dispatch.send(approved.id).reason == "consent.paused"
    assert in_chart(alice) == []
