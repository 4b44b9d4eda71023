"""F11, F13, A25: whatever happens in whatever order, the chart has a change once or not at all, never after
a revoke, and the log has every step."""

import json
from collections import Counter
from itertools import pairwise

import pytest
from django.core.cache import cache
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from consent import commands as consents
from fhirproxy import upstream
from fhirproxy.messages import FhirRequest, FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from fhirproxy.writes.proposals import IDENTIFIER
from fhirproxy.writes.states import ENDED, TRANSITIONS, WrongState
from tests import factories
from tests.examples import examples
from tests.writes.conftest import clinician, let_in

pytestmark = pytest.mark.django_db
# How the EHR takes the next change: as it should, or what F8 and F11 say.
TAKES = (
    *("well", "lost", "lost-undone", "crash", "crash-undone", "503"),
    *("timeout-done", "no-location", "412", "resting"),
)
STEP = st.one_of(
    st.just(("submit", "")),
    st.just(("submit-again", "")),
    st.just(("approve", "")),
    st.just(("revoke", "")),
    st.just(("edit-upstream", "")),
    st.just(("cancel", "")),
    st.just(("rebase", "")),
    st.just(("reconcile", "")),
    st.tuples(st.just("send"), st.sampled_from(TAKES)),
)


class Crash(BaseException):
    """The process ends here."""


class World:
    """One reading in the chart, and one update of it that is proposed, or one new reading."""

    def __init__(self, *, update: bool) -> None:
        self.alice = factories.alice()
        self.osei = factories.dr_osei(treats=[self.alice])
        self.app = let_in(self.alice)
        self.takes = "well"
        self.revoked = False
        self.made: list[bool] = []  # for each change that reached the EHR: whether after a revoke
        self.target = f"Observation/{factories.fhir_id(self.alice)}-bp"
        self.body = self._body()
        self.headers = {}
        if update:
            factories.load_records(self.body | {"id": self.target.partition("/")[2]})
            read = self.app.get(self.target)
            self.body = read.json() | {"note": [{"text": "ours"}]}
            self.headers = {"if_match": read.headers["ETag"]}
        self.update = update

    def _body(self) -> dict:
        patient = {"reference": f"Patient/{factories.fhir_id(self.alice)}"}
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        return {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"system": system, "code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": patient,
            "valueQuantity": {"value": 60, "system": "http://unitsofmeasure.org", "code": "/min"},
        }

    # The EHR

    def ehr(self, plain, request: FhirRequest) -> FhirResponse:
        if request.method == "GET" or not self._is_ours(request):
            return plain(upstream.Embedded(), request)
        takes, self.takes = self.takes, "well"
        if takes == "resting":
            raise UpstreamUnavailable("it failed too often", Trouble.RESTING)
        if takes in ("503", "412"):
            return FhirResponse(int(takes), {}, b"{}")
        if takes == "lost-undone":
            raise UpstreamUnavailable("cut off", Trouble.CUT_OFF)
        if takes == "crash-undone":
            raise Crash
        answer = plain(upstream.Embedded(), request)
        if answer.status < 300:
            self.made.append(self.revoked)
        if takes == "crash":
            raise Crash
        if takes in ("lost", "timeout-done"):
            raise UpstreamUnavailable("late", Trouble.TIMEOUT)
        return FhirResponse(201, {}, b"") if takes == "no-location" else answer

    def _is_ours(self, request: FhirRequest) -> bool:
        return IDENTIFIER.encode() in request.body

    # What people and processes do

    def do(self, step: str, how: str) -> None:
        command = WriteCommand.objects.first()
        act = getattr(self, step.replace("-", "_"))
        if command or step in ("submit", "revoke", "edit-upstream"):
            try:
                act(command, how)
            except (WrongState, commands.NotAllowed, commands.NoTarget, Crash):
                return

    def submit(self, _command, _how) -> None:
        send = self.app.put if self.update else self.app.post
        response = send(self.body, idempotency_key="the-one", **self.headers)
        assert response.status_code in (202, 401, 403, 412)

    def submit_again(self, _command, _how) -> None:
        self.submit(None, "")

    def approve(self, command, _how) -> None:
        commands.approve(command, requester=clinician(self.osei, self.alice), by=self.osei)

    def send(self, command, how) -> None:
        self.takes = how
        try:
            dispatch.send(command.id)
        finally:
            self.takes = "well"

    def reconcile(self, command, _how) -> None:
        """As the sweep, a minute later."""
        if command.status == "submitting":
            dispatch._finish(command, "unknown", reason="ehr.no-answer")
        if WriteCommand.objects.get(pk=command.pk).status == "unknown":
            dispatch.reconcile(command.id)

    def revoke(self, _command, _how) -> None:
        if not self.revoked:
            consents.revoke(self.app.consent, by=self.alice.user)
            self.revoked = True

    def edit_upstream(self, _command, _how) -> None:
        """Somebody at the clinic corrects a value."""
        if self.update:
            plain = upstream.Embedded()
            now = json.loads(plain.send(FhirRequest("GET", self.target)).body)
            now["valueQuantity"]["value"] += 1
            headers = {"Content-Type": upstream.FHIR_JSON}
            body = json.dumps(now | {"identifier": [{"value": "clinic"}]}).encode()
            plain.send(FhirRequest("PUT", self.target, headers=headers, body=body))

    def cancel(self, command, _how) -> None:
        commands.cancel(command, requester=clinician(self.osei, self.alice), by=self.alice.user)

    def rebase(self, command, _how) -> None:
        commands.rebase(command, requester=clinician(self.osei, self.alice), by=self.osei)

    # What must hold

    def check(self) -> None:
        assert WriteCommand.objects.count() <= 1
        assert len(self.made) <= 1, "written twice"
        assert not any(self.made), "written after a revoke"
        command = WriteCommand.objects.first()
        if command is None:
            return
        states = list(command.events.values_list("status", flat=True))
        assert states[-1] == command.status
        for before, after in pairwise(states):
            assert after in TRANSITIONS[before], (before, after)
        if command.status == "applied":
            assert len(self.made) == 1
        if command.status in ENDED and command.status != "applied":
            assert self.made == [], "said not to be in the chart, and it is"
        events = AuditEvent.objects.filter(target=f"WriteCommand/{command.pk}")
        logged = Counter(events.values_list("type", flat=True))
        assert logged["write:submit"] == 1
        assert logged["write:send"] == states.count("submitting")
        assert logged["write:block"] == states.count("blocked")
        assert logged["write:cancel"] == states.count("cancelled")
        assert events.filter(type="write:apply", outcome="done").count() == states.count("applied")


@examples(300)
@given(update=st.booleans(), steps=st.lists(STEP, min_size=6, max_size=24))
def test_once_or_not_at_all_and_never_after_a_revoke(update, steps):
    plain = upstream.Embedded.send
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        cache.clear()
        world = World(update=update)
        patch.setattr(upstream.Embedded, "send", lambda self, request: world.ehr(plain, request))
        for step in [("submit", ""), *steps]:
            world.do(*step)
            world.check()
        # In the end a sweep finds out what is not known, and the chart has what the command says.
        for _ in range(3):
            for step in ("reconcile", "send"):
                world.do(step, "well")
            world.check()
        transaction.set_rollback(True)
