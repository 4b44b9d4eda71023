"""One record with one app, and what is put into it, for tests that need no other patient."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from audit.models import AuditEvent
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import ACT_CODE, Category
from fhirproxy import upstream
from fhirproxy.upstream import FhirRequest, FhirResponse
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import App
from tests.fhirproxy.proof.conftest import World, key

SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
SECRET = "HIDDENWORD"
EHR = "http://ehr.internal.example:9443/fhir"
Send = Callable[[upstream.Embedded, FhirRequest], FhirResponse]
WAYS = ("{one}", "Observation", "{one}/_history", "{one}/_history/1", "Patient/{key}-patient/$everything")


def world_of_alice() -> World:
    """Alice's record, and an app that sees all of it but what is private."""
    alice = key("al")
    patient = factories.create_patient("Alice Moreno", fhir_id=f"{alice}-patient")
    records.keep(records.record(alice))
    consent = factories.create_consent(patient, categories=list(Category))
    app = App(issue(consent))
    return World(alice, key("mq"), key("gh"), patient, patient, consent, app, app)


def hidden(world: World, kind: str, name: str, **changes: object) -> str:
    """A resource of Alice's under a label that the app was not given; its address."""
    resource = records.resource_of(kind, world.alice, SECRET)
    records.keep([resource | {"id": f"{world.alice}-{name}", "meta": SUD} | changes])
    return f"{kind}/{world.alice}-{name}"


def plain(world: World, kind: str, name: str, **changes: object) -> str:
    resource = records.resource_of(kind, world.alice, "plain")
    records.keep([resource | {"id": f"{world.alice}-{name}"} | changes])
    return f"{kind}/{world.alice}-{name}"


def answer_of(monkeypatch, change: Callable[[FhirRequest, FhirResponse], FhirResponse]) -> None:
    """Let the EHR answer otherwise."""
    send: Send = upstream.Embedded.send
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, asked: change(asked, send(self, asked)))


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-recorded_at", "-id").first()


def act(world: World) -> Act:
    return Act(by=world.patient.user, channel="portal", text_shown="", language="en")


def narrowed(world: World, categories: list[Category]) -> Consent:
    """The same consent with fewer kinds of records."""
    return factories.create_consent(
        world.patient, world.consent.client, categories=categories, until=timezone.now() + timedelta(days=9)
    )
