"""F13 and P6 with transactions of their own, as in production: an EHR that hangs, many readers at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client as Browser

from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from consent.vocabulary import Category
from fhirproxy import upstream
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof.app import Answer, App
from tests.fhirproxy.proof.conftest import make
from tests.fhirproxy.proof.test_in_flight import CHANGES, WAYS, nothing_left
from tests.smart.app import App as SmartApp

pytestmark = pytest.mark.django_db(transaction=True)


class Hanging:
    """An EHR that answers when it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        send = upstream.Embedded.send

        def answer(embedded: upstream.Embedded, request: FhirRequest) -> FhirResponse:
            response = send(embedded, request)
            self.asked.set()
            assert self.go.wait(20)
            return response

        monkeypatch.setattr(upstream.Embedded, "send", answer)


def apart(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    finally:
        connection.close()


def in_order() -> list[tuple[str, str]]:
    """Events as the log's tree has them."""
    return list(AuditEvent.objects.order_by("xid", "id").values_list("type", "outcome"))


@pytest.mark.parametrize("changes", ["revoke", "pause", "a limit is agreed", "amend"])
@pytest.mark.parametrize("way", ["read", "search", "everything"])
def test_F13_an_ehr_that_hangs_does_not_hold_up_the_change_nor_get_past_it(monkeypatch, changes, way):
    world = make()
    path = WAYS[way].format(key=world.alice)
    ehr = Hanging(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(apart, lambda: world.app.get(path))
        assert ehr.asked.wait(20)
        CHANGES[changes](world)  # returns while the EHR hangs
        assert not answer.done()
        ehr.go.set()
        nothing_left(answer.result(20))

    assert ("record:read", "permit") not in in_order()
    assert ("record:search", "permit") not in in_order()


def test_P6_many_readers_and_revokes_leave_no_permit_after_a_revoke():
    """20 readers, 5 revokes; by counts. The full size is in tests/bench."""
    world = make()
    path = f"/fhir/r4/Observation/{world.alice}-observation"
    consents = [factories.create_consent(world.patient, categories=list(Category)) for _ in range(5)]
    tokens = {consent.pk: issue(consent) for consent in consents}
    returned: dict[object, float] = {}
    served: list[tuple[object, float]] = []  # consent, when the read began
    stop = threading.Event()

    def read(number: int) -> None:
        browser, consent = Browser(), consents[number % 5].pk
        try:
            while not stop.is_set():
                began = time.monotonic()
                answer = browser.get(path, headers={"authorization": f"Bearer {tokens[consent]}"})
                if answer.status_code == 200:
                    served.append((consent, began))
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        reading = [pool.submit(read, number) for number in range(20)]
        time.sleep(0.3)
        for consent in consents:
            commands.revoke(consent, by=world.patient.user)
            returned[consent.pk] = time.monotonic()
            time.sleep(0.1)
        stop.set()
        for each in reading:
            each.result()

    assert len({consent for consent, _ in served}) == 5, "nobody read: this proves nothing"
    assert not [one for one in served if one[1] > returned[one[0]]]
    for consent in consents:
        events = AuditEvent.objects.filter(consent=f"Consent/{consent.pk}").order_by("xid", "id")
        rows = [(event.type, event.outcome) for event in events]
        revoked = rows.index(("consent:revoke", "done"))
        assert ("record:read", "permit") in rows[:revoked]
        assert ("record:read", "permit") not in rows[revoked:]
    permits = AuditEvent.objects.filter(type="record:read", outcome="permit").count()
    assert permits == len(served)


def test_F13_a_new_answer_to_an_app_stands_in_the_log_after_what_the_old_one_let_out(monkeypatch):
    """The page on which a person shares holds a row before it takes the patient's lock: what is read in
    between must not get a later place in the log than the change."""
    world = make()
    browser = Browser()
    browser.force_login(world.patient.user)
    smart = SmartApp(browser)
    token = smart.connect()["access_token"]
    page = smart.page()
    form = smart.form(page)
    grant = commands.grant

    path = f"Observation/{world.alice}-observation"
    with ThreadPoolExecutor(1) as pool:
        readings = []

        def read_meanwhile(**terms: object) -> Consent:
            readings.append(pool.submit(apart, lambda: App(token).get(path, accept=FHIR_JSON)))
            time.sleep(0.5)  # it gets as far as the lock, and waits there for the answer to be kept
            return grant(**terms)

        with monkeypatch.context() as patch:
            patch.setattr("portal.authorization.commands.grant", read_meanwhile)
            assert browser.post(page, form).status_code == 302
        [reading] = readings
        assert reading.result().status in (401, 403, 503)

    events = in_order()
    assert ("consent:amend", "done") in events
    assert ("record:read", "permit") not in events[events.index(("consent:amend", "done")) :]
