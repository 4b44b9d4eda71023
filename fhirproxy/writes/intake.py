"""A proposed change on its way in: once for each key, checked, decided on, kept while consent holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.db import IntegrityError, transaction

from accounts.models import Patient, User
from audit.events import EventType
from consent import bearers
from consent.decision import Reason
from consent.requester import Requester
from fhirproxy import asking, budgets
from fhirproxy.checks import see
from fhirproxy.models import Source, WriteCommand, WriteEvent
from fhirproxy.release import Call
from fhirproxy.writes import bodies, deciding, kinds, proposals, together
from fhirproxy.writes.kinds import Kind
from fhirproxy.writes.proposals import InvalidResource, Wrong
from fhirproxy.writes.states import move
from fhirproxy.writes.targets import NoTarget, version_of
from smart.models import Client
from smart.scopes import Scope

Status, Channel, Origin = WriteCommand.Status, WriteCommand.Channel, WriteCommand.Origin
NAMESPACE = UUID("0d1f5c0e-5e0b-4c0d-9d0e-6a7d7c1b2f34")  # of ids that are made of keys
MOST_WAITING = 20  # proposals of one patient that no clinician has looked at


class KeyReused(Exception):
    """An Idempotency-Key came again with another body."""


class TooManyWaiting(Exception):
    """The patient's earlier proposals have not been looked at yet; more would bury them."""


class ReadOnly(Exception):
    """Nobody, or not this kind of sender, may propose this."""


class StaleVersion(Exception):
    """What is to be changed has changed since its author saw it. `now` is the version that it has."""

    def __init__(self, now: str) -> None:
        super().__init__(now)
        self.now = now


class _Overtaken(Exception):
    """What let the sender in ended while it was on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody proposes, and all that is known of where it comes from."""

    resource: Mapping[str, Any]
    patient: Patient
    author: User
    channel: str
    idempotency_scope: str
    idempotency_key: str
    has_key: bool = True
    client: Client | None = None
    client_version: str = ""
    target: str = ""  # Observation/1, of an update,
    base_version: str = ""  # and the version of it that the author saw
    origin: str = ""  # empty: read off the resource
    suggested_from: str = ""
    encounter: str = ""
    noted_at: datetime | None = None
    undoes: WriteCommand | None = None
    full_url: str = ""  # see `together`
    also: Sequence[together.Entry] = ()

    @property
    def interaction(self) -> str:
        return "update" if self.target else "create"


@dataclass(frozen=True, slots=True)
class _Checked:
    """A proposal that may be kept."""

    kind: Kind
    resource: bodies.Resource
    changed: list[str]
    base: str
    also: str  # of what comes with it
    risk: int


def take(proposal: Proposal, requester: Requester, source: Source) -> WriteCommand:
    """The command of a proposal, or the one that it became when it first came.

    Raises KeyReused, ReadOnly, InvalidResource, NotAllowed, NoTarget, StaleVersion, TooManyWaiting,
    Refusal (429), EhrFailure; nothing is kept then.
    """
    said: dict[str, object] = {
        "resource": proposal.resource,
        "target": proposal.target,
        "version": proposal.base_version,
    }
    if proposal.also:
        said |= {"fullUrl": proposal.full_url, "also": list(proposal.also)}
    digest = bodies.digest(said)
    if proposal.has_key and (earlier := find(proposal, digest)):
        return earlier
    budgets.admit_write(requester)
    checked = _check_all(proposal, requester, source)
    waiting = WriteCommand.objects.filter(patient=proposal.patient, status=Status.AWAITING_REVIEW)
    if checked.kind.looks and waiting.count() >= MOST_WAITING:
        raise TooManyWaiting
    try:
        with transaction.atomic():
            return _keep(proposal, checked, digest, requester, source)
    except _Overtaken:
        call = deciding.call_for(requester, source, proposal.interaction, checked.kind.type)
        deciding.refuse(call, (bearers.overtaken(requester),))
    except IntegrityError:
        if earlier := find(proposal, digest):
            return earlier
        raise


def find(proposal: Proposal, digest: str) -> WriteCommand | None:
    """What came with this key before. Raises KeyReused where that was something else."""
    mine = {"idempotency_scope": proposal.idempotency_scope, "idempotency_key": proposal.idempotency_key}
    command = WriteCommand.objects.filter(**mine).first()
    if command and command.body_sha256 != digest:
        raise KeyReused(proposal.idempotency_key)
    return command


def who(requester: Requester) -> str:
    """As the table of kinds names who proposes."""
    return "client" if requester.client else requester.role


def _check_all(proposal: Proposal, requester: Requester, source: Source) -> _Checked:
    """Each as if it came alone; who looks at the first looks at the others."""
    first = _check(proposal, requester, source)
    others = []
    for entry in proposal.also:
        resource = entry.get("resource")
        if proposal.target or not isinstance(resource, dict):
            raise InvalidResource(Wrong("invalid", "What comes together is new, all of it."))
        checked = _check(replace(proposal, resource=resource, also=()), requester, source)
        if checked.kind.looks > first.kind.looks:
            raise InvalidResource(Wrong("business-rule", "Send first what more clinicians look at."))
        others.append((entry, checked))
    together.check(proposal.full_url, proposal.also, [first.resource, *(c.resource for _, c in others)])
    also = together.kept(proposal.full_url, [(entry, c.resource) for entry, c in others])
    changed = [*first.changed, *(code for _, c in others for code in c.changed)]
    return replace(first, also=also, changed=changed, risk=max([first.risk, *(c.risk for _, c in others)]))


def _check(proposal: Proposal, requester: Requester, source: Source) -> _Checked:
    resource, changed = proposals.plain(proposal.resource, proposal.interaction)
    kind = kinds.of(resource)
    if kind is None or not (proposal.undoes or kind.takes(proposal.interaction, who(requester))):
        raise ReadOnly(str(resource.get("resourceType", "")))
    if not _may_write(source, proposal.interaction, kind.type):
        raise ReadOnly(kind.type)
    key = proposal.target.partition("/")[2]
    call = deciding.call_for(requester, source, proposal.interaction, kind.type, key)
    base = b""
    if proposal.target:
        base = _base(call, proposal)
        if resource.get("id") != key:
            raise InvalidResource(Wrong("invalid", "The id is the one in the address.", f"{kind.type}.id"))
    try:
        proposals.check(call, kind, resource, bodies.read(base) if base else None)
    except InvalidResource as error:
        if error.status == 403:  # somebody else's: refused as any access to it, and in the log
            _refused(call)
        raise
    deciding.decide(call, bodies.dump(resource))
    return _Checked(kind, resource, changed, base.decode(), "", kinds.risk(kind, resource))


def _refused(call: Call) -> None:
    try:
        deciding.refuse(call, (Reason.NOT_YOURS,))
    except deciding.NotAllowed:
        return


def _may_write(source: Source, interaction: str, resource_type: str) -> bool:
    """Whether the EHR lets us: our own authority there is another than the sender's here."""
    if source.auth != Source.Auth.SMART:
        return True
    return any(s.allows(interaction, resource_type, None) for s in Scope.parse_all(source.scope))


def _base(call: Call, proposal: Proposal) -> bytes:
    """What an update starts from, as the chart has it. Raises NoTarget, StaleVersion, NotAllowed."""
    answer = asking.ask(call.source, proposal.target)
    if answer.status in (404, 410):
        raise NoTarget(proposal.target)
    if answer.status != 200:
        raise asking.failed(call.source, answer)
    [seen] = see(call, [answer.body])
    if seen.reference != proposal.target:
        raise asking.failure(call.source)
    try:
        decision = deciding.decide(call, answer.body)
    except deciding.NotAllowed:
        raise NoTarget(proposal.target) from None
    if decision.redact:  # whoever does not see the whole would delete the rest
        deciding.refuse(call, (Reason.DENIED,))
    now = version_of(answer, seen.resource)
    if not now or now != proposal.base_version:
        raise StaleVersion(now)
    return answer.body


def _keep(
    proposal: Proposal, checked: _Checked, digest: str, requester: Requester, source: Source
) -> WriteCommand:
    """Raises _Overtaken where what lets the sender in ended meanwhile."""
    command = WriteCommand.objects.create(
        id=_id(proposal),
        patient=proposal.patient,
        author=proposal.author,
        on_behalf_of=requester.on_behalf_of if who(requester) == "helper" else "",
        client=proposal.client,
        client_version=proposal.client_version,
        consent_id=requester.consent_id,
        consent_number=requester.consent_number,
        source=source,
        channel=proposal.channel,
        kind=checked.kind.code,
        schema=checked.kind.schema,
        interaction=proposal.interaction,
        resource_type=checked.kind.type,
        risk=checked.risk,
        also=checked.also,
        resource=bodies.dump(checked.resource).decode(),
        target=proposal.target,
        base_version=proposal.base_version,
        base=checked.base,
        encounter=proposal.encounter or _encounter(checked.resource),
        origin=proposal.origin or _origin(checked.resource),
        suggested_from=proposal.suggested_from or _suggested_from(checked.resource),
        transformations=checked.changed,
        noted_at=proposal.noted_at,
        idempotency_scope=proposal.idempotency_scope,
        idempotency_key=proposal.idempotency_key,
        has_key=proposal.has_key,
        body_sha256=digest,
        undoes=proposal.undoes,
    )
    WriteEvent.objects.create(command=command, status=Status.RECEIVED, by=proposal.author)
    move(command, Status.VALIDATED, by=proposal.author)
    following = Status.AWAITING_REVIEW if checked.kind.looks else Status.APPROVED
    move(command, following, by=proposal.author)
    if not deciding.log(EventType.WRITE_SUBMIT, command, requester, in_force=True):
        raise _Overtaken
    return command


def _id(proposal: Proposal) -> UUID:
    """Made of the key, where there is one. It goes to the EHR as an identifier: so even a sender who comes
    again after our own row was lost writes nothing twice."""
    if not proposal.has_key:
        return uuid4()
    return uuid5(NAMESPACE, f"{proposal.idempotency_scope} {proposal.idempotency_key}")


def _encounter(resource: Mapping[str, Any]) -> str:
    encounter = resource.get("encounter")
    return str(encounter.get("reference", ""))[:300] if isinstance(encounter, dict) else ""


def _origin(resource: Mapping[str, Any]) -> str:
    """Where a fact comes from, as far as the resource tells."""
    if resource.get("derivedFrom"):
        return Origin.SOFTWARE
    if resource.get("device"):
        return Origin.DEVICE
    if resource["resourceType"] == "DocumentReference":
        return Origin.DOCUMENT
    return Origin.MEASURED if resource["resourceType"] == "Observation" else Origin.REMEMBERED


def _suggested_from(resource: Mapping[str, Any]) -> str:
    sources = resource.get("derivedFrom")
    named = [str(s.get("reference", "")) for s in sources if isinstance(s, dict)] if sources else []
    return " ".join(named)[:300]
