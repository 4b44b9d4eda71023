"""What can be done with a proposed change. Each is one transaction, with its audit row inside."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NoReturn
from uuid import UUID

import rfc8785
from django.db import IntegrityError, transaction
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from accounts.models import Patient, User
from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import valuesets
from consent.decision import Access, Decision, Reason, decide
from consent.labels import labels_of
from consent.requester import Requester
from consent.vocabulary import categories_of
from fhirproxy.compartment import belongs_to
from fhirproxy.models import Source, WriteCommand, WriteEvent
from fhirproxy.served import SERVED
from fhirproxy.writes.states import WrongState, may_become
from notices import commands as notices

Status = WriteCommand.Status
# Types a patient may propose; everything else is refused by name.
WRITABLE = frozenset({"Observation"})
MOST_WAITING = 20  # proposals of one patient that no clinician has looked at


class KeyReused(Exception):
    """An Idempotency-Key came again with another body."""


class NotAllowed(Exception):
    """The decision was no; `decision` has the reasons, and the refusal is in the log."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(", ".join(decision.reasons))
        self.decision = decision


class TooManyWaiting(Exception):
    """The patient's earlier proposals have not been looked at yet; more would bury them."""


class InvalidResource(ValueError):
    """The proposed resource is no FHIR, or not about this patient."""


def submit(
    resource: Mapping[str, Any],
    *,
    requester: Requester,
    patient: Patient,
    author: User,
    channel: str,
    idempotency_scope: str,
    idempotency_key: str,
) -> WriteCommand:
    """Take in a proposed resource; it then waits for a clinician.

    The same key and body give the same command, however often and however many at once.
    Raises KeyReused, NotAllowed, TooManyWaiting or InvalidResource; nothing is kept then.
    """
    body = rfc8785.dumps(dict(resource)).decode()
    digest = hashlib.sha256(body.encode()).hexdigest()
    if earlier := _earlier(idempotency_scope, idempotency_key, digest):
        return earlier
    source = Source.primary()
    _validate(resource, requester, source)
    _decide("create", resource, requester)
    waiting = WriteCommand.objects.filter(patient=patient, status=Status.AWAITING_REVIEW)
    if waiting.count() >= MOST_WAITING:
        raise TooManyWaiting
    try:
        with transaction.atomic():
            command = WriteCommand.objects.create(
                patient=patient,
                author=author,
                source=source,
                channel=channel,
                interaction="create",
                resource_type=resource["resourceType"],
                resource=body,
                idempotency_scope=idempotency_scope,
                idempotency_key=idempotency_key,
                body_sha256=digest,
                consent_id=requester.consent_id,
                consent_number=requester.consent_number,
            )
            WriteEvent.objects.create(command=command, status=Status.RECEIVED, by=author)
            move(command, Status.VALIDATED, by=author)
            move(command, Status.AWAITING_REVIEW, by=author)
            _log(EventType.WRITE_SUBMIT, command, requester)
    except IntegrityError:
        if earlier := _earlier(idempotency_scope, idempotency_key, digest):
            return earlier
        raise
    return command


def approve(command: WriteCommand, *, requester: Requester, by: User) -> WriteCommand:
    """A clinician says yes. Sending it to the EHR is `dispatch.send`, after this has committed.

    Raises NotAllowed, and WrongState where somebody was faster.
    """
    _decide("review", json.loads(command.resource), requester)
    with transaction.atomic():
        command = _held(command)
        command.reviewer = by
        command.save(update_fields=["reviewer"])
        move(command, Status.APPROVED, by=by)
        _log(EventType.WRITE_APPROVE, command, requester)
    return command


def send_back(command: WriteCommand, *, requester: Requester, by: User, reason: str) -> WriteCommand:
    """A clinician does not add it, for a coded reason that the patient reads in words.

    Raises NotAllowed, and WrongState where somebody was faster.
    """
    _decide("review", json.loads(command.resource), requester)
    with transaction.atomic():
        command = _held(command)
        command.reviewer, command.reason = by, reason
        command.save(update_fields=["reviewer", "reason"])
        move(command, Status.SENT_BACK, by=by, reason=reason)
        _log(EventType.WRITE_REJECT, command, requester, reasons=(reason,))
        tell(command, "write_sent_back")
    return command


def block_for_consent(consent_id: UUID) -> int:
    """End what a consent carried and the EHR has not got yet (see `consent.dependents`)."""
    waiting = [Status.VALIDATED, Status.AWAITING_REVIEW, Status.SENT_BACK, Status.APPROVED]
    commands = WriteCommand.objects.select_for_update().filter(
        consent_id=consent_id, status__in=[*waiting, Status.CONFLICT, Status.FAILED]
    )
    for command in commands:
        move(command, Status.BLOCKED, by=None, reason="consent.revoked")
        record(
            Entry(
                type=EventType.WRITE_BLOCK,
                outcome=Outcome.DENY,
                actor="System/writes",
                role="system",
                patient=f"Patient/{command.patient_id}",
                client=f"Client/{command.client.client_id}" if command.client else "",
                reasons=("consent.revoked",),
                target=f"WriteCommand/{command.id}",
            )
        )
    return len(commands)


def move(command: WriteCommand, status: str, *, by: User | None, reason: str = "") -> None:
    """One step, in the caller's transaction. Raises WrongState for a step the table does not have."""
    if not may_become(command.status, status):
        raise WrongState(f"{command.status} cannot become {status}")
    command.status = status
    command.save(update_fields=["status"])
    WriteEvent.objects.create(command=command, status=status, by=by, reason=reason)


def tell(command: WriteCommand, kind: str) -> None:
    """A notice to the author, in the caller's transaction; it says that, not what."""
    author = command.author
    notices.enqueue(
        kind,
        recipient=f"User/{author.pk}",
        email=author.email,
        language=author.language,
        context={},
    )


def _held(command: WriteCommand) -> WriteCommand:
    return WriteCommand.objects.select_for_update().get(id=command.id)


def _earlier(scope: str, key: str, digest: str) -> WriteCommand | None:
    command = WriteCommand.objects.filter(idempotency_scope=scope, idempotency_key=key).first()
    if command and command.body_sha256 != digest:
        raise KeyReused(key)
    return command


def _validate(resource: Mapping[str, Any], requester: Requester, source: Source) -> None:
    resource_type = resource.get("resourceType", "")
    if resource_type not in WRITABLE:
        raise InvalidResource(f"{resource_type or 'This'} cannot be proposed.")
    try:
        get_fhir_model_class(resource_type).model_validate_json(json.dumps(resource))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidResource(f"{where}: {error.errors()[0]['msg']}") from error
    patient_id = requester.identities.get(source.slug, "")
    if not patient_id or not belongs_to(resource, SERVED[resource_type], patient_id):
        raise InvalidResource("The resource is about another patient.")


def _decide(interaction: str, resource: Mapping[str, Any], requester: Requester) -> None:
    access = Access(
        interaction,
        str(resource["resourceType"]),
        at=requester.now,
        purpose=requester.purpose,
        categories=categories_of(resource),
        actors=requester.actors,
        security_labels=labels_of(resource, valuesets.codes(requester.valuesets)),
        codings=frozenset(),
    )
    decision = decide(access, requester.authority(interaction))
    if decision.permitted and requester.lacks(interaction, access.security_labels):
        decision = Decision(False, (Reason.SIGN_IN,))
    if not decision.permitted:
        _refuse(interaction, access, requester, decision)


def _refuse(interaction: str, access: Access, requester: Requester, decision: Decision) -> NoReturn:
    """Keep the refusal; so a decision is asked for before a transaction starts, not inside one."""
    record(
        Entry(
            type=EventType.RECORD_REFUSE,
            outcome=Outcome.DENY,
            actor=requester.actor,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction=interaction,
            resource_types=(access.resource_type,),
            purpose=requester.purpose,
            reasons=tuple(decision.reasons),
        )
    )
    raise NotAllowed(decision)


def _log(
    event: EventType,
    command: WriteCommand,
    requester: Requester,
    reasons: tuple[str, ...] = (),
) -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=requester.actor,
            role=requester.role,
            patient=f"Patient/{command.patient_id}",
            client=requester.client,
            interaction=command.interaction,
            resource_types=(command.resource_type,),
            categories=tuple(sorted(categories_of(json.loads(command.resource)))),
            purpose=requester.purpose,
            reasons=reasons,
            target=f"WriteCommand/{command.id}",
        )
    )
