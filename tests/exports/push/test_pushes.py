"""Exports that are sent: to whom, by whose leave, and what stops them."""

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from jwcrypto.jws import JWS

from audit.models import AuditEvent
from consent.decision import Reason
from exports import commands, manifests
from exports.bulk import approvals
from exports.bulk.approvals import NotNow
from exports.models import ExportJob, Push
from exports.push import destinations, pushes, sending
from exports.tasks import run_push, sweep
from smart import identity
from tests.exports.bulk.conftest import run
from tests.exports.bulk.service import Service, an_administrator
from tests.exports.bulk.test_consent import choose
from tests.smart.site import HOST

pytestmark = pytest.mark.django_db
GROUP = "Group/diabetes-2026/$export?_type=Patient,Observation&_destination="


@pytest.fixture
def made(start, destination) -> Push:
    """An export whose files are there, and which nobody has sent yet."""
    made.status = start(f"{GROUP}{destination.pk}")
    run()
    return Push.objects.get()


def sent(push: Push) -> Push:
    """What a worker does, once."""
    Push.objects.filter(pk=push.pk).update(next_at=timezone.now())
    run_push(push.pk)
    return Push.objects.select_related("job").get(pk=push.pk)


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type="export:push").order_by("id"))


def test_files_arrive_with_their_hashes_and_the_manifest_comes_last(made, place, service):
    push = sent(made)

    assert push.status == "done"
    assert place.names()[-2:] == ["manifest.json.jws", "manifest.json"]
    base = f"/in/{push.job_id}"
    said = json.loads(place.files[f"{base}/manifest.json"])
    assert {item["type"] for item in said["output"]} == {"Patient", "Observation"}
    for item in said["output"]:
        body = place.files[f"{base}/{item['url']}"]
        assert hashlib.sha256(body).hexdigest() == item["extension"]["sha256"]
        assert len(body.splitlines()) == item["count"]
    _, _, headers = next(each for each in place.told if each[1].endswith("Patient.1.ndjson"))
    digest = hashlib.sha256(place.files[f"{base}/Patient.1.ndjson"]).digest()
    assert headers["content-digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert headers["authorization"] == "Bearer drop-token"
    told = service.get(made_status(service, push)).json()["extension"]["push"]
    assert told == {"destination": str(push.destination_id), "status": "done"}
    assert [event.outcome for event in events()] == ["permit", "permit", "done"]
    assert {event.client for event in events()} == {f"Client/{service.client.client_id}"}


def made_status(service: Service, push: Push) -> str:
    return f"/fhir/r4/bulk/{push.job_id}"


def test_a_bucket_gets_signed_requests(start, place, service, ada):
    bucket = place.proven(service.client, ada, kind="bucket", secret="access:hidden", region="eu-west-1")
    start(f"{GROUP}{bucket.pk}")
    run()

    assert sent(Push.objects.get()).status == "done"
    for _, path, headers in place.told:
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=access/"), path
        assert "hidden" not in str(headers)
        body = place.files.get(path, b"") if path.startswith("/in/") and ".well-known" not in path else b""
        assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        ((302, {"Location": "http://127.0.0.1:8000/admin/"}), "push.redirect", "redirect"),
        ((403, {}), "push.refused", "did not take"),
    ],
)
def test_a_destination_that_sends_us_to_loopback_or_says_no_gets_nothing_more(
    made, place, service, answer, reason, said
):
    place.status, place.headers = answer
    push = sent(made)

    assert (push.status, push.reason, len(place.names())) == ("failed", reason, 1)
    assert said in service.get(made_status(service, push)).json()["extension"]["push"]["problem"]
    assert (events()[-1].outcome, events()[-1].reasons) == ("failed", [reason])


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_to_an_address_that_is_not_public_gets_nothing(made, place, monkeypatch, address):
    monkeypatch.setattr(sending, "SENDER", sending.FETCHER.__class__(resolve=lambda _host, _port: [address]))
    push = sent(made)

    assert (push.status, push.reason, place.names()) == ("failed", "push.not-public", [])


def test_another_key_than_the_pinned_one_is_told_nothing(made, place):
    pins = [base64.b64encode(bytes(32)).decode()]
    type(made.destination).objects.update(pins=pins)
    before = len(place.told)
    push = sent(made)

    assert (push.status, push.reason, len(place.told)) == ("failed", "push.key", before)


def test_a_destination_that_is_down_is_tried_again_later_and_only_for_what_is_missing(made, place):
    place.status = 503
    push = sent(made)
    assert (push.status, push.attempts, push.reason) == ("sending", 1, "push.no-answer")
    assert push.next_at > timezone.now() + timedelta(seconds=30)
    run_push(push.pk)
    assert len(place.names()) == 1, "it is not time yet"

    place.status = 201
    assert sent(made).status == "done"
    assert len(place.names()) == 5, "the two files, one of them twice, and what tells of them"


def test_what_arrived_is_not_sent_again(made, place):
    count = iter(range(100))
    place.during = lambda: setattr(place, "status", 201 if next(count) == 0 else 503)
    push = sent(made)
    assert (push.status, len(push.sent)) == ("sending", 1)

    place.during = lambda: setattr(place, "status", 201)
    assert sent(made).status == "done"
    assert len(set(place.names())) == len(place.names()) - 1, "only the one that failed came twice"


def test_it_is_given_up_after_some_hours(made, place):
    place.status = 500
    for _ in range(len(pushes.PAUSES) + 1):
        push = sent(made)

    assert (push.status, push.reason) == ("failed", "push.no-answer")


@pytest.mark.parametrize("what", ["approval", "destination", "job", "hosts"])
def test_F13_what_ends_while_a_file_is_on_its_way_stops_it_there(
    made, place, settings, ada, monkeypatch, what
):
    """A look at it stands between any two pieces."""
    monkeypatch.setattr(pushes, "LOOK", 1)
    monkeypatch.setattr(pushes, "PIECE", 16)
    ends = {
        "approval": lambda: approvals.end(made.job.approval, by=ada),
        "destination": lambda: destinations.end(made.destination, by=ada),
        "job": lambda: commands.cancel(made.job, by=made.job.client),
        "hosts": lambda: setattr(settings, "EXPORT_PUSH_HOSTS", []),
    }
    pieces = pushes._pieces

    def interrupted(push, file):
        for number, piece in enumerate(pieces(push, file)):
            if number == 2:
                ends[what]()
            yield piece

    monkeypatch.setattr(pushes, "_pieces", interrupted)
    push = sent(made)

    assert push.status == "stopped"
    assert push.reason
    assert not [path for path in place.files if path.startswith("/in/")]
    assert events()[-1].outcome == "failed"


def test_F13_a_patient_who_says_no_in_the_meantime_stops_it(made, place, alice):
    choose(alice, "operations", permit=False)
    push = sent(made)

    assert (push.status, push.reason, place.names()) == ("stopped", Reason.CHANGED, [])
    assert ExportJob.objects.get().status == "blocked"


def test_a_large_export_is_held_until_a_second_person_releases_it(made, place, settings, ada):
    settings.BULK_SECOND_PERSON_OVER = 1
    approvals.second(made.job.approval, by=an_administrator("Bo Berg"))
    push = sent(made)
    assert (push.status, place.names()) == ("held", [])
    with pytest.raises(NotNow, match="cannot release"):
        pushes.release(push, by=ada)
    with pytest.raises(NotNow, match="cannot release"):
        pushes.release(push, by=push.job.approval.approved_by)

    cleo = an_administrator("Cleo Dahl")
    pushes.release(push, by=cleo)
    assert sent(push).status == "done"
    with pytest.raises(NotNow, match="waits for nobody"):
        pushes.release(push, by=cleo)
    released = next(event for event in events() if event.detail.get("change") == "release")
    assert released.actor == f"User/{cleo.pk}"


def test_what_is_held_when_its_export_ends_is_over(made, settings, ada):
    settings.BULK_SECOND_PERSON_OVER = 1
    approvals.second(made.job.approval, by=an_administrator("Bo Berg"))
    push = sent(made)
    commands.cancel(push.job, by=push.job.client)
    sweep()

    push.refresh_from_db()
    assert push.status == "stopped"


def test_the_sweep_finds_what_is_due_and_not_what_is_still_made(start, destination, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("celery.current_app.send_task", lambda name, args: asked.append(name))
    start(f"{GROUP}{destination.pk}")
    sweep()
    assert "exports.tasks.run_push" not in asked
    run()
    sweep()
    assert "exports.tasks.run_push" in asked


def test_a_destination_must_be_the_services_own_proven_and_in_force(service, place, destination, ada):
    other = Service("Other")
    theirs = place.proven(other.client, ada)
    unproven = destinations.register(
        service.client, kind="https", url=f"{place.base}/x", pins=[place.pin], secret="t", by=ada
    )
    for given in (theirs.pk, unproven.pk, "nothing", "00000000-0000-0000-0000-000000000000"):
        answer = service.get(f"{GROUP}{given}")
        assert answer.status_code == 400
        assert "_destination" in answer.text
    destinations.end(destination, by=ada)
    assert service.get(f"{GROUP}{destination.pk}").status_code == 400
    assert not ExportJob.objects.exists()


def test_what_cannot_be_registered_says_why(service, place, ada):
    good = {"kind": "https", "url": f"https://{HOST}/in", "pins": [place.pin], "secret": "t", "by": ada}
    for wrong, said in (
        ({"url": f"http://{HOST}/in"}, "https://"),
        ({"url": "http://127.0.0.1/in"}, "https://"),
        ({"url": "https://elsewhere.example/in"}, "EXPORT_PUSH_HOSTS"),
        ({"url": f"https://{HOST}@evil.example/in"}, "name or a password"),
        ({"url": f"https://{HOST}/in/../out"}, "path"),
        ({"pins": []}, "pin"),
        ({"pins": ["abc"]}, "pin"),
        ({"pins": [place.pin] * 3}, "pin"),
        ({"secret": ""}, "token"),
        ({"secret": "a\r\nb"}, "token"),
        ({"kind": "bucket", "secret": "no-colon", "region": "r"}, "bucket"),
        ({"kind": "ftp"}, "kind"),
    ):
        with pytest.raises(NotNow, match=said):
            destinations.register(service.client, **(good | wrong))


def test_a_destination_is_proven_by_the_words_at_its_own_address(service, place, ada):
    made = destinations.register(
        service.client, kind="https", url=f"{place.base}/in", pins=[place.pin], secret="t", by=ada
    )
    with pytest.raises(NotNow, match="challenge"):
        destinations.prove(made, by=ada)
    place.files[f"/.well-known/chartkey-export/{made.pk}"] = b"other words"
    with pytest.raises(NotNow, match="challenge"):
        destinations.prove(made, by=ada)

    made.refresh_from_db()
    assert made.proven_at is None
    assert "authorization" not in place.told[-1][2]
    changes = AuditEvent.objects.filter(target=f"Destination/{made.pk}").order_by("id")
    assert [(e.detail["change"], e.outcome) for e in changes] == [
        ("register", "done"),
        ("prove", "failed"),
        ("prove", "failed"),
    ]


def test_the_signature_is_over_the_very_bytes_of_the_manifest(made, place):
    push = sent(made)
    base = f"/in/{push.job_id}"

    jws = JWS()
    jws.deserialize(place.files[f"{base}/manifest.json.jws"].decode())
    key = identity.signing_key(manifests.ALGORITHM)
    jws.verify(key, detached_payload=place.files[f"{base}/manifest.json"])
    assert jws.is_valid
