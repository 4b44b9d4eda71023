"""/api/v1/writes/: the third door into the one pipeline."""

import json

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client as Browser

from audit.models import AuditEvent
from consent import commands as consents
from fhirproxy import upstream
from fhirproxy.messages import UpstreamUnavailable
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from portal.readings import UCUM
from tests import factories
from tests.fhirproxy.consents import session_of
from tests.portal.api.test_api import ask, is_problem
from tests.writes.conftest import answers, clinician, in_chart, let_in
from tests.writes.conftest import reading as made

pytestmark = pytest.mark.django_db
reading = made


@pytest.fixture
def alice():
    cache.clear()
    return factories.alice()


@pytest.fixture
def osei(alice):
    return factories.dr_osei(treats=[alice])


@pytest.fixture
def session(alice):
    return session_of(alice)


@pytest.fixture
def app(alice):
    return let_in(alice)


def send(resource, path="", *, key="k-1", **more):
    headers = {"idempotency-key": key} if key else {}
    body = more.pop("body", {})
    return ask(f"writes/{path}", method="POST", body={"resource": resource, **body}, **headers, **more)


def test_an_app_sends_asks_and_takes_back(alice, app, reading):
    sent = send(reading(), token=app.token)

    assert (sent.status_code, sent.json()["status"]) == (202, "awaiting_review")
    command = WriteCommand.objects.get()
    assert (command.channel, command.client, command.consent) == ("api", app.consent.client, app.consent)
    at = f"writes/{command.pk}/"
    assert ask(at, token=app.token).json()["id"] == str(command.pk)
    assert sent.json()["url"].endswith(f"/api/v1/{at}")
    taken_back = ask(f"{at}cancel/", method="POST", token=app.token).json()
    assert [e["status"] for e in taken_back["events"]] == [
        *("received", "validated", "awaiting_review", "cancelled")
    ]
    is_problem(send(reading(systolic=131), token=app.token), 422)
    done = send(answers(alice), key="k-2", token=app.token)
    assert (done.status_code, done.json()["status"]) == (201, "applied")
    is_problem(ask(f"writes/{done.json()['id']}/cancel/", method="POST", token=app.token), 409)


def test_A25_the_same_key_gets_the_same_command_at_whichever_door(alice, app, reading):
    """Its id is made of the key: what goes to the EHR with it is the same, even if our own row were lost."""
    resource = reading()
    first, second = (send(resource, token=app.token) for _ in range(2))

    assert first.json() == second.json()
    assert (first.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    at_the_other = app.post(resource, idempotency_key="k-1")
    assert at_the_other.headers["Content-Location"].endswith(first.json()["id"])


def test_A25_a_sender_who_comes_again_after_our_rows_were_lost_writes_nothing_twice(alice, app):
    form = answers(alice)
    with transaction.atomic():  # the EHR is in the same database: what it has is put back by hand
        send(form, token=app.token)
        [written] = in_chart(alice, "QuestionnaireResponse")
        transaction.set_rollback(True)
    cache.clear()
    factories.load_records(written)

    again = send(form, token=app.token)

    assert again.json()["result"].startswith(f"QuestionnaireResponse/{written['id']}")
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1


def test_the_person_sees_all_that_was_sent_and_an_app_its_own(alice, app, session, reading):
    other = let_in(alice)
    mine = send(reading(), token=app.token).json()["id"]
    send(reading(systolic=130), token=other.token)
    send(reading(systolic=131), browser=session)

    assert [r["id"] for r in ask("writes/", token=app.token).json()["results"]] == [mine]
    page = ask("writes/?count=2", browser=session).json()
    assert len(page["results"]) == 2
    last = ask(page["next"].rpartition("/api/v1/")[2], browser=session).json()
    assert ([r["id"] for r in last["results"]], last["next"]) == ([mine], None)
    assert AuditEvent.objects.filter(type="record:search", resource_types=["Task"], count=2).exists()
    is_problem(ask(f"writes/{mine}/", token=other.token), 404)
    is_problem(ask(f"writes/{mine}/", browser=session_of(factories.mallory())), 404)


def test_what_was_sent_back_comes_again_and_what_is_done_is_undone(alice, osei, app, reading):
    command = WriteCommand.objects.get(pk=send(reading(), token=app.token).json()["id"])
    by = {"requester": clinician(osei, alice), "by": osei}
    commands.send_back(command, **by, reason="value.unlikely")

    again = send(reading(systolic=126), f"{command.pk}/repropose/", key="k-2", token=app.token)
    command.refresh_from_db()
    assert (again.status_code, command.status) == (202, "cancelled")
    second = WriteCommand.objects.get(pk=again.json()["id"])
    commands.approve(second, **by)
    assert dispatch.send(second.pk).status == "applied"
    undo = {"method": "POST", "token": app.token, "idempotency-key": "k-3"}
    undone = ask(f"writes/{second.pk}/undo/", **undo)
    assert (undone.status_code, undone.json()["undoes"]) == (202, str(second.pk))
    is_problem(ask(f"writes/{command.pk}/undo/", **undo | {"idempotency-key": "k-4"}), 409)


def test_a_draft_that_was_made_offline_keeps_its_own_time_and_key(app, reading):
    sent = send(reading(), token=app.token, body={"noted_at": "2026-01-02T03:04:05Z"})

    assert sent.json()["noted_at"] == "2026-01-02T03:04:05Z"
    for wrong in ("2999-01-01T00:00:00Z", "yesterday", "2026-01-02T03:04:05"):
        is_problem(send(reading(), key="other", token=app.token, body={"noted_at": wrong}), 400)


def test_A10_whose_it_is_is_one_answer_in_body_address_and_token(alice, app, reading):
    mallory = factories.fhir_id(factories.mallory())
    theirs = {"reference": f"Patient/{mallory}"}
    wrong = [
        (reading(subject=theirs), {}, 403),
        (reading(subject=None, contained=[{"resourceType": "Patient", "id": "p"}]), {}, 403),
        (reading(focus=[theirs]), {}, 403),
        (reading(id="a"), {"target": "Observation/b", "version": "1"}, 400),
        (reading(id=f"{mallory}-ldl"), {"target": f"Observation/{mallory}-ldl", "version": "1"}, 404),
        (reading(id="a"), {"target": "Patient/a", "version": "1"}, 400),
        (reading(id="a"), {"target": "Observation/a"}, 428),
        (reading(hasMember=[{"reference": f"Observation/{mallory}-ldl"}]), {}, 422),
        (
            reading(
                device={"reference": "#d"},
                contained=[{"resourceType": "Device", "id": "d", "patient": theirs}],
            ),
            {},
            403,
        ),
        ({"resourceType": "Provenance"}, {}, 405),
        ({"resourceType": "Nonsense"}, {}, 405),
    ]
    for number, (resource, body, status) in enumerate(wrong):
        is_problem(send(resource, key=f"k-{number}", token=app.token, body=body), status)
    assert not WriteCommand.objects.exists()
    assert AuditEvent.objects.filter(type="record:refuse").count() >= len(wrong)


def test_A10_a_note_of_5_MB_is_refused_by_name(app, reading):
    body = is_problem(send(reading(note=[{"text": "x" * 100_000}]), token=app.token), 413)
    assert "65536" in body["detail"]
    is_problem(send(reading(note=[{"text": "x" * 5_000_000}]), key="k-2", token=app.token), 413)
    assert not WriteCommand.objects.exists()


def test_what_is_wrong_is_named_element_by_element(app, reading):
    body = is_problem(send(reading(status="nonsense"), token=app.token), 422)

    assert body["errors"][0]["expression"] == "Observation.status"
    for sent in ("[]", '{"resource": 1}', '{"resource": {}, "more": 1}', "{"):
        headers = {"authorization": f"Bearer {app.token}"}
        answer = Browser().post("/api/v1/writes/", sent, content_type="application/json", headers=headers)
        is_problem(answer, 400)


def test_nothing_is_told_or_taken_after_a_revoke(alice, app, reading):
    sent = send(reading(), token=app.token).json()["id"]
    consents.revoke(app.consent, by=alice.user)

    for method, path in (("GET", f"{sent}/"), ("GET", ""), ("POST", f"{sent}/cancel/")):
        is_problem(ask(f"writes/{path}", method=method, token=app.token), 401)
    is_problem(send(reading(), key="k-2", token=app.token), 401)
    assert WriteCommand.objects.get().status == "blocked"


def test_an_app_sends_again_at_the_fhir_door_too(alice, osei, app, reading):
    command = WriteCommand.objects.get(pk=send(reading(), token=app.token).json()["id"])
    commands.send_back(command, requester=clinician(osei, alice), by=osei, reason="value.unlikely")

    again = app.send("POST", f"Task/{command.pk}", reading(systolic=125), idempotency_key="k-2")

    assert (again.status_code, json.loads(again.content)["status"]) == (202, "requested")
    assert app.send("POST", f"Task/{command.pk}", reading()).status_code == 400


URN = "urn:uuid:5b1a7c1e-0000-4000-8000-000000000001"


def test_several_go_together_or_not_at_all(alice, osei, app, reading, monkeypatch):
    weight = reading(component=None, valueQuantity={"value": 80, "system": UCUM, "code": "kg"})
    weight |= {"code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}}
    panel = reading(hasMember=[{"reference": URN}])
    also = [{"fullUrl": URN, "resource": weight}, {"resource": answers(alice)}]
    sent = send(panel, token=app.token, body={"also": also})
    assert (sent.status_code, sent.json()["status"]) == (202, "awaiting_review")
    command = WriteCommand.objects.get()
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    plain = upstream.Embedded.send

    def lost(self, request):
        answer = plain(self, request)
        if request.method == "POST":
            raise UpstreamUnavailable("the answer was lost")
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", lost)
        assert dispatch.send(command.pk).status == "unknown"
    assert dispatch.reconcile(command.pk).status == "applied"

    first, second = sorted(in_chart(alice), key=lambda o: "hasMember" not in o)
    assert first["hasMember"][0]["reference"] == f"Observation/{second['id']}"
    assert len(in_chart(alice, "QuestionnaireResponse")) == 1
    ids = [o["identifier"][0]["value"] for o in (first, second)]
    assert ids == [str(command.pk), f"{command.pk}.1"]
    with pytest.raises(commands.WrongState):
        commands.undo(WriteCommand.objects.get(), requester=clinician(osei, alice), by=osei, key="k")


def test_A10_what_comes_together_is_checked_one_by_one(alice, app, reading):
    theirs = {"reference": f"Patient/{factories.fhir_id(factories.mallory())}"}
    wrong = [
        ([{"resource": reading(subject=theirs)}], 403),
        ([{"resource": {"resourceType": "Provenance"}}], 405),
        ([{"resource": reading(status="nonsense")}], 422),
        ([{"resource": reading(), "fullUrl": "Observation/1"}], 422),
        ([{"resource": reading(), "fullUrl": URN}] * 2, 422),
        ([{"resource": reading(hasMember=[{"reference": URN}])}], 422),
        ([{"resource": reading()}] * 11, 422),
        ([{}], 422),
        ("x", 400),
    ]
    for number, (also, status) in enumerate(wrong):
        is_problem(send(reading(), key=f"k-{number}", token=app.token, body={"also": also}), status)
    is_problem(send(answers(alice), token=app.token, body={"also": [{"resource": reading()}]}), 422)
    assert not WriteCommand.objects.exists()
