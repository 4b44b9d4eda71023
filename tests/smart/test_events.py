"""What an app hears, signed, when what it was let into ends: RFC 8417 by RFC 8935."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone
from jwcrypto.jwk import JWKSet
from jwcrypto.jwt import JWT

from consent import commands as consents
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
from notices.outbox import FIRST_PAUSE
from smart import commands, events, sweeping
from smart.models import Client, SecurityEvent
from smart.states import Act as ClientAct
from tests import factories
from tests.smart.app import App
from tests.smart.site import Site

REVOKED = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
OURS = "https://chartkey.example/events/"


class Receiver(Site):
    """An app's server: it takes what is posted, and keeps it."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.got: list[tuple[str, str]] = []  # content type and body
        self.answer = lambda handler: self.take(handler)

    def take(self, handler: BaseHTTPRequestHandler, status: int = 202) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        self.got.append((handler.headers["Content-Type"], body))
        self.send(handler, b"", status)


@pytest.fixture
def receiver(tmp_path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    thread = threading.Thread(target=receiver.server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def told(browser: Browser, receiver: Receiver) -> App:
    """An app that registered where it wants to hear."""
    return App(browser, factories.acme_client(notification_uri=receiver.url))


def deliver(receiver: Receiver) -> list[dict[str, Any]]:
    """What arrives, each verified as an app does it: with the published keys, for itself."""
    receiver.got.clear()
    events.send_due(fetcher=receiver.fetcher())
    keys = JWKSet.from_json(Browser().get("/.well-known/jwks.json").content.decode())
    found = []
    for content_type, body in receiver.got:
        assert content_type == "application/secevent+jwt"
        token = JWT(jwt=body, key=keys, algs=["RS256", "ES384"])
        assert json.loads(token.header)["typ"] == "secevent+jwt"
        found.append(json.loads(token.claims))
    return found


def again() -> None:
    """As if the pause before the next try were over."""
    SecurityEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def kinds() -> list[str]:
    return list(SecurityEvent.objects.order_by("created_at").values_list("kind", flat=True))


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_an_app_hears_that_a_consent_was_revoked(told, alice, receiver, algorithm):
    Client.objects.update(algorithm=algorithm)
    answer = told.connect()

    consents.revoke(Consent.objects.get(), by=alice.user)
    (event,) = deliver(receiver)

    assert set(event) == {"iss", "aud", "iat", "toe", "jti", "sub_id", "events"}
    assert (event["iss"], event["aud"]) == ("http://testserver", told.client.client_id)
    assert event["events"] == {REVOKED: {}}
    assert event["sub_id"] == {"format": "opaque", "id": answer["grant_id"]}


def test_it_says_nothing_of_the_person(told, alice, receiver):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)

    said = json.dumps(deliver(receiver))

    for secret in (str(alice.pk), str(alice.user.pk), factories.fhir_id(alice), "Alice", "Observation"):
        assert secret not in said


def test_an_event_comes_once(told, alice, receiver):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    consents.revoke(Consent.objects.get(), by=alice.user)

    assert len(deliver(receiver)) == 1
    again()
    assert deliver(receiver) == []


def test_an_app_hears_of_a_pause_and_of_its_end(told, alice, receiver):
    grant_id = told.connect()["grant_id"]
    act = Act(by=alice.user, channel="portal")

    consents.pause_all(alice, act=act)
    consents.resume_all(alice, act=act)

    heard = deliver(receiver)
    assert [next(iter(event["events"])) for event in heard] == [f"{OURS}grant-paused", f"{OURS}grant-resumed"]
    assert {event["sub_id"]["id"] for event in heard} == {grant_id}


def test_an_app_hears_that_it_may_see_less(told, alice, receiver):
    told.connect()

    consents.grant(
        patient=alice,
        client=told.client,
        categories=[Category.VITAL_SIGNS],
        labels=[],
        until=timezone.now() + timedelta(days=3),
        by=alice.user,
        channel="portal",
        text_shown="less",
        language="en",
    )

    (event,) = deliver(receiver)
    assert event["events"] == {f"{OURS}grant-changed": {}}


def test_an_app_hears_that_a_consent_ran_out(told, receiver):
    told.connect()
    Consent.objects.update(period_end=timezone.now() - timedelta(seconds=1))

    consents.expire_due()

    assert [event["events"] for event in deliver(receiver)] == [{REVOKED: {}}]


@pytest.mark.parametrize("act", [ClientAct.SUSPEND, ClientAct.BLOCK, ClientAct.REOPEN])
def test_a_client_that_is_suspended_hears_it(told, receiver, act):
    commands.move(told.client, act, by=factories.create_staff("Cora Lane", "compliance"))

    (event,) = deliver(receiver)

    assert event["events"] == {f"{OURS}client-suspended": {}}
    assert event["sub_id"]["id"] == told.client.client_id


def test_who_registered_no_address_hears_nothing(app, alice):
    app.connect()

    consents.revoke(Consent.objects.get(), by=alice.user)

    assert kinds() == []


@pytest.mark.parametrize("address", ["http://acme.example/events", "ftp://acme.example/", "javascript:x"])
def test_an_address_is_of_https(db, address):
    with pytest.raises(commands.InvalidClient):
        factories.acme_client(notification_uri=address)


# What goes wrong on the way


def test_a_receiver_that_is_down_hears_it_later_and_the_revoke_did_not_wait(told, alice, receiver):
    answer = told.connect()
    receiver.answer = lambda handler: receiver.send(handler, b"", 503)

    consents.revoke(Consent.objects.get(), by=alice.user)
    assert told.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert receiver.asked == 0  # it was not spoken to in the revoke

    pauses = []
    for _ in range(3):
        assert deliver(receiver) == []
        pauses.append(SecurityEvent.objects.get().due_at - timezone.now())
        again()
    assert [round(pause / FIRST_PAUSE) for pause in pauses] == [1, 2, 4]

    receiver.answer = lambda handler: receiver.take(handler)
    (event,) = deliver(receiver)
    assert event["jti"] == str(SecurityEvent.objects.get().pk)
    assert SecurityEvent.objects.get().sent_at is not None


def test_an_event_sent_again_is_the_same_event(told, alice, receiver):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    receiver.answer = lambda handler: receiver.take(handler, 500)
    (first,) = deliver(receiver)
    again()

    (second,) = deliver(receiver)

    assert first == second


def test_it_is_given_up_in_the_end(told, alice, receiver):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    SecurityEvent.objects.update(attempts=events.MOST_ATTEMPTS)

    assert deliver(receiver) == []


def test_A8_a_redirect_is_not_followed(told, alice, receiver):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    target = receiver.url
    receiver.answer = lambda handler: receiver.send(handler, b"", 307, Location=target)

    assert deliver(receiver) == []

    assert receiver.asked == 1
    assert SecurityEvent.objects.get().sent_at is None


def test_A8_nothing_is_sent_to_an_address_of_ours(told, alice, receiver):
    """The fetcher as it stands: the name leads to loopback."""
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    Client.objects.update(notification_uri=receiver.url.replace("keys.acme.example", "localhost"))

    assert events.send_due() == 0

    assert receiver.asked == 0


def test_a_slow_receiver_is_left_and_holds_up_no_other(told, alice, receiver):
    slow = App(told.browser, factories.acme_client(notification_uri=f"{receiver.url}/slow"))
    over = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("/slow"):
            handler.connection.settimeout(5)
            over.wait(1)
            handler.close_connection = True
        else:
            receiver.take(handler)

    for app in (slow, told):
        app.connect()
    for _ in range(3):
        events.tell(slow.client, events.Kind.CHANGED)
    for consent in Consent.objects.all():
        consents.revoke(consent, by=alice.user)
    receiver.answer = hang

    heard = events.send_due(fetcher=receiver.fetcher(deadline=0.3))
    over.set()

    assert heard == 1
    tried = {event.client_id: event.sent_at for event in SecurityEvent.objects.filter(attempts=1)}
    assert tried[slow.client.pk] is None
    assert tried[told.client.pk] is not None
    assert SecurityEvent.objects.filter(client=slow.client, attempts=0).count() == 3


def test_what_was_told_is_swept(told, alice):
    told.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)
    SecurityEvent.objects.update(created_at=timezone.now() - timedelta(days=31))

    sweeping.sweep()

    assert kinds() == []
