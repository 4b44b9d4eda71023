"""F13: what changes between the answer of an EHR and the release of it, and while an EHR hangs.

Nothing of the record leaves after the change, and the log has no permit after the row of the change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from consent import authority, commands
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
from fhirproxy import gate, upstream
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import Refusal
from fhirproxy.upstream import FhirRequest, FhirResponse
from smart.models import AccessToken, Client
from tests import factories
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import Answer, Case
from tests.fhirproxy.proof.conftest import World

pytestmark = pytest.mark.django_db
SEVERAL = 4  # labs, for a second page
CHANGES: dict[str, Callable[[World], object]] = {}


def change(make: Callable[[World], object]) -> Callable[[World], object]:
    CHANGES[make.__name__.replace("_", " ")] = make
    return make


@change
def revoke(world: World) -> None:
    commands.revoke(world.consent, by=world.patient.user)


@change
def the_consent_runs_out(world: World) -> None:
    Consent.objects.filter(pk=world.consent.pk).update(period_end=timezone.now())


@change
def what_has_run_out_is_written_down(world: World) -> None:
    the_consent_runs_out(world)
    commands.expire_due()


@change
def the_token_runs_out(world: World) -> None:
    AccessToken.objects.filter(authorization_id=world.consent.pk).update(expires=timezone.now())


@change
def pause(world: World) -> None:
    commands.pause_all(world.patient, act=act(world))


@change
def pause_and_resume(world: World) -> None:
    pause(world)
    commands.resume_all(world.patient, act=act(world))


@change
def a_limit_is_agreed(world: World) -> None:
    no = {"type": "deny"}
    asked = commands.ask_restriction(patient=world.patient, provision=no, act=act(world))
    commands.answer(asked, agreed=True, act=act(world))


@change
def opt_out(world: World) -> None:
    commands.prefer(patient=world.patient, directive="treatment", permit=False, act=act(world))


@change
def amend(world: World) -> None:
    factories.create_consent(world.patient, world.consent.client, categories=[Category.VACCINES])


def the_client_is_suspended(world: World) -> None:
    Client.objects.filter(pk=world.consent.client.pk).update(status="suspended")


def the_account_is_closed(world: World) -> None:
    world.patient.user.is_active = False
    world.patient.user.save(update_fields=["is_active"])


def act(world: World) -> Act:
    return Act(by=world.patient.user, channel="portal", text_shown="", language="en")


WAYS = {
    "read": "Observation/{key}-observation",
    "vread": "Observation/{key}-observation/_history/1",
    "history": "Observation/{key}-observation/_history",
    "search": "Observation",
    "search with includes": "Observation?_include=Observation:encounter&_revinclude=Provenance:target",
    "page": "Observation?_count=2",
    "everything": "Patient/{key}-patient/$everything",
    "page of everything": "Patient/{key}-patient/$everything?_count=2",
    "binary": "Binary/{key}-binary",
    "medication": "Medication/{key}-medication",
    "provenance": "Provenance/{key}-provenance",
}


@pytest.fixture
def alice(world: World) -> World:
    lab = records.resource_of("Observation", world.alice, "plain")
    records.keep(lab | {"id": f"{world.alice}-{n}"} for n in range(SEVERAL))
    return world


@contextmanager
def once_the_ehr_answered(happens: Callable[[], object], after: int = 1) -> Iterator[None]:
    """Let it happen when the EHR has given its answer to the nth question, before the gate sees it."""
    send = upstream.Embedded.send
    asked = 0

    def answer(self: upstream.Embedded, request: FhirRequest) -> FhirResponse:
        nonlocal asked
        asked += 1
        response = send(self, request)
        if asked == after:
            happens()
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", answer)
        yield
    assert asked >= after


def path_of(world: World, way: str) -> str:
    """A way's address; of a page, the link that the first page gave."""
    path = WAYS[way].format(key=world.alice)
    if not way.startswith("page"):
        return path
    link = world.app.get(path).body.split(b'"url":"')[1].split(b'"')[0].decode()
    return link.partition("/fhir/r4/")[2]


def nothing_left(answer: Answer) -> None:
    assert answer.status in (401, 403, 404, 503), answer
    assert b"plain" not in answer.body
    assert "etag" not in answer.headers


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("changes", CHANGES)
def test_F13_what_changes_before_the_release_holds_for_it(alice, way, changes):
    path = path_of(alice, way)
    before = AuditEvent.objects.filter(outcome="permit").count()
    with once_the_ehr_answered(lambda: CHANGES[changes](alice)):
        nothing_left(alice.app.get(path))

    assert AuditEvent.objects.filter(outcome="permit").count() == before
    assert AuditEvent.objects.order_by("-recorded_at", "-id").first().outcome == "deny"


@pytest.mark.parametrize("changes", CHANGES)
def test_F13_A28_a_conditional_read_is_no_304_after_the_change(alice, changes):
    one = f"Observation/{alice.alice}-observation"
    etag = alice.app.get(one).headers["etag"]
    with once_the_ehr_answered(lambda: CHANGES[changes](alice)):
        nothing_left(alice.app.get(one, **{"if-none-match": etag}))


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize("changes", CHANGES)
def test_F13_of_a_batch_nothing_is_permitted_after_the_change(alice, changes, kind):
    """The second entry's answer is there when it happens."""
    these = [Case(f"{one}/{alice.alice}-{one.lower()}", 0) for one in ("Coverage", "Goal", "Device")]
    with once_the_ehr_answered(lambda: CHANGES[changes](alice), after=2):
        answer = alice.app.batch(these, kind)

    assert AuditEvent.objects.filter(outcome="permit").count() == 1  # the first entry's, before it
    assert b"-goal" not in answer.body
    assert b"-device" not in answer.body
    assert kind == "batch" or answer.status in (401, 403, 404, 503)


@pytest.mark.parametrize("changes", ["revoke", "pause", "a limit is agreed", "amend"])
def test_F13_what_a_batch_had_before_the_change_does_not_leave_after_it(alice, changes):
    """A batch goes out as one: an EHR that is slow on its last entry must not hold the first ones open."""
    these = [Case(f"{one}/{alice.alice}-{one.lower()}", 0) for one in ("Coverage", "Goal")]
    with once_the_ehr_answered(lambda: CHANGES[changes](alice), after=2):
        answer = alice.app.batch(these)

    assert b"plain" not in answer.body


@pytest.mark.parametrize("ends", [the_client_is_suspended, the_account_is_closed])
@pytest.mark.parametrize("way", ["read", "everything"])
def test_F13_who_asks_is_looked_at_again_too(alice, ends, way):
    """An app that was just stopped for all patients, and a person whose account was closed."""
    with once_the_ehr_answered(lambda: ends(alice)):
        nothing_left(alice.app.get(path_of(alice, way)))


@pytest.mark.parametrize("ends", [the_client_is_suspended, the_account_is_closed])
def test_F13_the_entries_of_a_batch_that_start_after_an_app_was_stopped_are_refused(alice, ends):
    these = [Case(f"{one}/{alice.alice}-{one.lower()}", 0) for one in ("Coverage", "Goal", "Device")]
    with once_the_ehr_answered(lambda: ends(alice)):
        answer = alice.app.batch(these)

    assert b"-device" not in answer.body


def test_F13_the_helper_of_a_patient_is_stopped_in_flight(alice):
    amir = factories.create_user("Amir Moreno")
    relation = factories.helps(amir, alice.patient, "SPS")
    consent = commands.let_help(
        relation=relation,
        categories=list(Category),
        labels=(),
        until=timezone.now() + timedelta(days=1),
        act=act(alice),
    )
    requester = authority.for_helper(amir, alice.patient)
    asked = Interaction("read", "Observation", f"{alice.alice}-observation")
    assert gate.serve(requester, asked).status == 200

    def stop() -> None:
        commands.revoke(consent, by=alice.patient.user)

    with once_the_ehr_answered(stop), pytest.raises(Refusal):
        gate.serve(requester, asked)
