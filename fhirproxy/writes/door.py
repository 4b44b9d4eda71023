"""The door for apps, at /fhir/r4/ and at /api/v1/writes/: create and update (FHIR R4, 3.1.0.8 and 3.1.0.5)
become commands.

The gate has decided on the interaction before it comes here. A refusal names the element; what was taken in
is answered with 202 and a receipt, or with what the EHR made of it where nobody has to look first.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import current_app
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import Patient, User
from audit.keeping import faults
from consent.decision import Reason
from consent.requester import Requester
from fhirproxy import budgets, release
from fhirproxy.messages import FhirResponse
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import NOT_FOUND, EhrFailure, Refusal
from fhirproxy.release import Call
from fhirproxy.writes import bodies, commands, dispatch, kinds, receipts
from fhirproxy.writes.commands import Status
from fhirproxy.writes.intake import who
from fhirproxy.writes.proposals import EARLY, InvalidResource, Wrong
from smart.models import Client

KEY = re.compile(r'"?([!#-~]{1,255})"?')  # bare, or as a structured field's string
ETAG = re.compile(r'(?:W/)?"([!#-~]{1,100})"')
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,39}")
IN_FLIGHT = "The same request is on its way. Ask again in a second."
LOGGED = frozenset({401, 429, 503})  # where they are raised
Body = Callable[[], bytes]
Channel = WriteCommand.Channel


class Invalid(Refusal):
    """A refusal that names what is wrong, element by element."""

    def __init__(self, status: int, *wrong: Wrong, is_logged: bool = False) -> None:
        super().__init__(status, " ".join(each.text for each in wrong))
        self.wrong = list(wrong)
        self.is_logged = is_logged

    def response(self) -> FhirResponse:
        return receipts.refused(self.status, self.wrong)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the headers of a request say."""

    key: str
    base_version: str
    client_version: str
    is_async: bool
    noted_at: datetime | None = None

    @classmethod
    def of(cls, call: Call, headers: Mapping[str, str]) -> "_Said":
        """Raises Refusal."""
        if "if-none-exist" in headers:
            raise Refusal(400, "A conditional create is not served: send an Idempotency-Key.")
        key = key_of(headers)
        version = ""
        if call.interaction.code == "update":
            if "if-match" not in headers:
                raise Refusal(428, 'Say which version you saw: If-Match: W/"1".')
            seen = ETAG.fullmatch(headers["if-match"].strip())
            if seen is None:
                raise Refusal(400, 'If-Match takes one version: W/"1".')
            version = seen[1]
        about = VERSION.fullmatch(headers.get("x-client-version", ""))
        wants = [part.strip() for part in headers.get("prefer", "").lower().split(",")]
        is_async = "respond-async" in wants
        return cls(key, version, about[0] if about else "", is_async, _noted_at(headers))


def key_of(headers: Mapping[str, str]) -> str:
    """The Idempotency-Key; empty where there is none. Raises Refusal (400)."""
    key = headers.get("idempotency-key", "")
    match = KEY.fullmatch(key)
    if key and match is None:
        raise Refusal(400, "An Idempotency-Key has 1 to 255 visible characters.")
    return match[1] if match else ""


def _noted_at(headers: Mapping[str, str]) -> datetime | None:
    """When it was written, by the sender's clock: for drafts that were made offline and come later."""
    said = headers.get("x-client-time", "")
    try:
        at = datetime.fromisoformat(said) if said else None
    except ValueError:
        at = None
    if said and (at is None or at.tzinfo is None or at > timezone.now() + EARLY):
        raise Refusal(400, "X-Client-Time is a time that has come, with its offset: 2026-05-01T08:30:00Z.")
    return at


def take(
    call: Call,
    headers: Mapping[str, str],
    query: Mapping[str, Any],
    body: Body,
    channel: str = Channel.SMART,
    **facts: Any,
) -> FhirResponse:
    """Answer a create or an update. Raises Refusal, which stands in the log.

    `facts` are other fields of `intake.Proposal`, that FHIR has no place for.
    """
    with told(call):
        _refuse_read_only(call)
        if set(query) - {"_format"}:
            raise Refusal(400, "Nothing but _format can be added to this address.")
        said = _Said.of(call, headers)
        command = _submitted(call, said, resource_of(call, body), channel, facts)
        return _answer(call, command, said)


@contextmanager
def told(call: Call) -> Iterator[None]:
    """What a command refuses, as its sender is told of it; it stands in the log."""
    try:
        with _as_refusals(call):
            yield
    except EhrFailure:
        raise
    except Refusal as refusal:
        if refusal.status not in LOGGED and not (isinstance(refusal, Invalid) and refusal.is_logged):
            release.refuse(call, (f"request.{refusal.status}",), refusal.status)
        raise


@contextmanager
def _as_refusals(call: Call) -> Iterator[None]:
    try:
        yield
    except commands.NotAllowed as refusal:  # it is in the log
        budgets.refused(call.requester)
        scope = Reason.SCOPE in refusal.reasons
        raise Invalid(
            403, Wrong("forbidden", "scope-not-granted" if scope else "no-consent"), is_logged=True
        ) from None
    except commands.KeyReused:
        raise Refusal(422, "This Idempotency-Key came with another body. Take a new key.") from None
    except commands.ReadOnly:
        raise _read_only(call) from None
    except InvalidResource as error:
        raise Invalid(error.status, *error.wrong, is_logged=error.status == 403) from None
    except commands.NoTarget:
        raise Refusal(404, NOT_FOUND) from None
    except commands.StaleVersion:
        raise Refusal(412, "It has changed since you read it. Read it again, and then decide.") from None
    except commands.WrongState:
        raise Refusal(409, "It stands otherwise by now. Read its status again.") from None
    except commands.TooManyWaiting:
        release.refuse(call, ("request.429",), 429)
        too_many = "Earlier proposals wait for the clinic. Send no more before it has looked at them."
        raise Refusal(429, too_many, {"Retry-After": "3600"}) from None


def _refuse_read_only(call: Call) -> None:
    asked = call.interaction
    if asked.code not in kinds.interactions(asked.resource_type, who(call.requester)):
        raise _read_only(call)


def _read_only(call: Call) -> Refusal:
    to = "apps" if call.requester.client else "you"
    said = f"{call.interaction.resource_type} of this kind is read-only for {to}. See /fhir/r4/metadata."
    return Refusal(405, said, {"Allow": "GET"})


def resource_of(call: Call, body: Body) -> bodies.Resource:
    asked = call.interaction
    try:
        resource = bodies.read(body())
    except bodies.NotJson as error:
        raise Invalid(400, Wrong("structure", str(error))) from None
    if resource.get("resourceType") != asked.resource_type:
        text = f"A {asked.resource_type} is taken at this address."
        raise Invalid(400, Wrong("invalid", text, "resourceType"))
    if asked.id and resource.get("id") != asked.id:
        text = "The id in the resource is the one in the address."
        raise Invalid(400, Wrong("invalid", text, f"{asked.resource_type}.id"))
    return resource


def _submitted(
    call: Call, said: _Said, resource: bodies.Resource, channel: str, facts: Mapping[str, Any]
) -> WriteCommand:
    requester = call.requester
    client = Client.objects.filter(client_id=requester.client.removeprefix("Client/")).first()
    return commands.submit(
        resource,
        requester=requester,
        patient=Patient.objects.get(pk=requester.patient_id),
        author=author_of(requester),
        channel=channel,
        idempotency_scope=_scope(requester.client or requester.actor, str(requester.patient_id)),
        idempotency_key=said.key or secrets.token_urlsafe(32),
        has_key=bool(said.key),
        source=call.source,
        client=client,
        client_version=said.client_version,
        target=f"{call.interaction.resource_type}/{call.interaction.id}" if call.interaction.id else "",
        base_version=said.base_version,
        noted_at=said.noted_at,
        **facts,
    )


def author_of(requester: Requester) -> User:
    """The person behind the token, or in the session. Raises Refusal where there is none."""
    if requester.user_id is None:
        raise Refusal(403, "A person stands behind each change: get a token for somebody.")
    return User.objects.get(pk=requester.user_id)


def _scope(sender: str, patient: str) -> str:
    """Whose keys: one client's, or one person's, for one patient."""
    return hashlib.sha256(f"{sender} {patient}".encode()).hexdigest()


def _answer(call: Call, command: WriteCommand, said: _Said) -> FhirResponse:
    """The first answer is kept, and given again to the same key."""
    if command.outcome:
        return receipts.again(command.outcome)
    kind = kinds.named(command.kind)
    if (kind and kind.looks) or said.is_async:
        answer = receipts.accepted(command)
        soon(command)
    else:
        command = dispatch.send(command.id)
        if command.status == Status.SUBMITTING:  # by another request with the same key
            raise Refusal(409, IN_FLIGHT, {"Retry-After": "1"})
        answer = receipts.written(command, call.fhir_url)
    if command.has_key:
        first = WriteCommand.objects.filter(pk=command.pk, outcome__isnull=True)
        first.update(outcome=receipts.kept(answer))
    return answer


def soon(command: WriteCommand) -> None:
    """The worker sends it, if nobody has to look first; the sweep does where the queue is down."""
    if command.status != Status.APPROVED:
        return
    try:
        current_app.send_task("fhirproxy.tasks.send_write", [str(command.id)])
    except OperationalError:
        faults.report("System/queue", "queue.down")
