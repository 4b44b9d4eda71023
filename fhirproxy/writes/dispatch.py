"""Send an approved change to its EHR, once.

The command's id goes along as an identifier, and the create is conditional on it, so
that a change whose answer was lost can be found and is never sent blindly again.
"""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError

from audit.events import EventType
from audit.log import Entry, Outcome, record
from fhirproxy import asking, upstream
from fhirproxy.models import Source, WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse
from fhirproxy.upstream.http import wait_of
from fhirproxy.writes.commands import Status, move, tell
from fhirproxy.writes.states import WrongState

IDENTIFIER = "https://chartkey.example/fhir/write-command"
PROVENANCE_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
STUCK = timedelta(seconds=60)
CONFLICTS = frozenset({409, 412})  # it stands against what is in the chart: for a person to look at


def send(command_id: UUID) -> WriteCommand:
    """Carry an approved command to the EHR, or find out what became of one. Safe to run twice."""
    command, mine = _take(command_id)
    if not mine:
        return command
    try:
        answer = upstream.of(command.source).send(_transaction(command))
    except upstream.UpstreamUnavailable:
        return _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
    _wait(command.source, wait_of(answer))
    return _judge(command, answer)


def _judge(command: WriteCommand, answer: FhirResponse) -> WriteCommand:
    """Only what the EHR names is in the chart; only what it refused is not. All else is looked for."""
    if answer.status >= 500:
        return _finish(command, Status.UNKNOWN, reason="ehr.error")
    if answer.status == 429:  # not refused, only not now: the sweep looks, and sends it later
        return _finish(command, Status.UNKNOWN, reason="ehr.busy")
    if answer.status in CONFLICTS:
        return _finish(command, Status.CONFLICT, reason="ehr.conflict")
    if answer.status >= 400:
        return _finish(command, Status.FAILED, reason="ehr.refused")
    where = _location(answer)
    if not where:
        return _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
    return _finish(command, Status.APPLIED, result=where)


def reconcile(command_id: UUID) -> WriteCommand:
    """Look for a change whose answer was lost: found, it is applied; not found, it may be sent again."""
    command = WriteCommand.objects.get(id=command_id)
    query = (("identifier", f"{IDENTIFIER}|{command.id}"),)
    try:
        bodies = list(asking.pages(command.source, command.resource_type, query))
        resources = [asking.decode(body) for body in bodies]
    except EhrFailure:
        return command  # that it was not found would have to be certain
    for found in resources:
        if _has_id(found, command):
            return _finish(command, Status.APPLIED, result=f"{found['resourceType']}/{found['id']}")
    return _finish(command, Status.APPROVED, reason="ehr.not-found")


def sweep() -> int:
    """Carry on what a crash left: approved but not sent, sent but without an answer."""
    before = timezone.now() - STUCK
    rows = WriteCommand.objects.filter(
        status__in=[Status.APPROVED, Status.SUBMITTING, Status.UNKNOWN], events__at__lt=before
    ).distinct()
    for command in rows:
        newest = command.events.last()
        if newest is None or newest.at >= before or _is_waiting(command.source):
            continue
        if command.status == Status.SUBMITTING:
            command = _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
        if command.status == Status.UNKNOWN:
            command = reconcile(command.id)
        if command.status == Status.APPROVED:
            send(command.id)
    return len(rows)


@transaction.atomic
def _take(command_id: UUID) -> tuple[WriteCommand, bool]:
    """Only one worker gets to send: whoever moves the row from approved to submitting."""
    command = WriteCommand.objects.select_for_update().get(id=command_id)
    mine = command.status == Status.APPROVED
    if mine:
        move(command, Status.SUBMITTING, by=None)
    return command, mine


@transaction.atomic
def _finish(command: WriteCommand, status: str, *, reason: str = "", result: str = "") -> WriteCommand:
    command = WriteCommand.objects.select_for_update().get(id=command.id)
    try:
        move(command, status, by=None, reason=reason)
    except WrongState:
        return command  # somebody else found out first
    if status == Status.APPLIED:
        command.result = result
        command.save(update_fields=["result"])
        _log_applied(command)
        tell(command, "write_added")
    return command


def _transaction(command: WriteCommand) -> FhirRequest:
    """Resource and Provenance together, or neither (FHIR R4, 3.1.0.11.2)."""
    resource = json.loads(command.resource)
    identifier = {"system": IDENTIFIER, "value": str(command.id)}
    resource["identifier"] = [*resource.get("identifier", []), identifier]
    full_url = f"urn:uuid:{command.id}"
    create = {
        "method": "POST",
        "url": command.resource_type,
        "ifNoneExist": f"identifier={IDENTIFIER}|{command.id}",
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": full_url, "resource": resource, "request": create},
            {
                "resource": _provenance(command, full_url, resource["subject"]),
                "request": {"method": "POST", "url": "Provenance"},
            },
        ],
    }
    headers = {"Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
    return FhirRequest("POST", "", headers=headers, body=json.dumps(bundle).encode())


def _provenance(command: WriteCommand, target: str, patient: dict[str, Any]) -> dict[str, Any]:
    """Who measured it, and who let it in (US Core Provenance: author and transmitter)."""

    def agent(kind: str, who: dict[str, Any]) -> dict[str, Any]:
        return {"type": {"coding": [{"system": PROVENANCE_AGENT, "code": kind}]}, "who": who}

    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": timezone.now().isoformat(timespec="seconds"),
        "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE"}]},
        "agent": [
            agent("author", patient),
            agent("verifier", {"identifier": {"value": str(command.reviewer_id)}}),
            agent("transmitter", {"display": "Chartkey"}),
        ],
        "entity": [
            {
                "role": "source",
                "what": {"identifier": {"system": IDENTIFIER, "value": str(command.id)}},
            }
        ],
    }


def _location(answer: FhirResponse) -> str:
    """Type/id/_history/version of what the EHR made, by its transaction-response; empty: it does not say."""
    try:
        response = json.loads(answer.body)["entry"][0]["response"]
        made = str(response["status"]).startswith("2")
        return str(response["location"]).split("/r4/")[-1] if made else ""
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def _has_id(resource: dict[str, Any], command: WriteCommand) -> bool:
    """An EHR that passes `identifier` over shows everything it has."""
    identifiers = resource.get("identifier")
    wanted = {"system": IDENTIFIER, "value": str(command.id)}
    return resource.get("resourceType") == command.resource_type and any(
        isinstance(one, dict) and wanted.items() <= one.items()
        for one in (identifiers if isinstance(identifiers, list) else [])
    )


def _wait(source: Source, seconds: int) -> None:
    """An EHR that says when to come again to a write (RFC 9110, 10.2.3) is left alone until then."""
    if seconds:
        with suppress(RedisError):
            cache.set(f"ehr-writes-wait:{source.slug}", 1, timeout=seconds)


def _is_waiting(source: Source) -> bool:
    try:
        return cache.get(f"ehr-writes-wait:{source.slug}") is not None
    except RedisError:
        return True  # it may have asked for that, and the next sweep is near


def _log_applied(command: WriteCommand) -> None:
    record(
        Entry(
            type=EventType.WRITE_APPLY,
            outcome=Outcome.DONE,
            actor=f"User/{command.reviewer_id}",
            role="clinician",
            patient=f"Patient/{command.patient_id}",
            interaction=command.interaction,
            resource_types=(command.resource_type,),
            target=f"WriteCommand/{command.id}",
        )
    )
