"""What a sender is told: a FHIR Task with an address where it can ask again, or what the EHR made of it."""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from fhirproxy.messages import FHIR_JSON, FhirResponse
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import CODE_OF_STATUS
from fhirproxy.writes.proposals import IDENTIFIER, Wrong
from fhirproxy.writes.states import S

STATUS = "https://chartkey.example/fhir/CodeSystem/write-status"
REASON = "https://chartkey.example/fhir/CodeSystem/write-reason"
# A command's state as FHIR R4 Task.status; the state itself is its businessStatus.
TASK: Mapping[S, str] = {
    S.RECEIVED: "received",
    S.VALIDATED: "received",
    S.AWAITING_REVIEW: "requested",
    S.SENT_BACK: "on-hold",
    S.APPROVED: "accepted",
    S.SUBMITTING: "in-progress",
    S.APPLIED: "completed",
    S.CONFLICT: "on-hold",
    S.REJECTED: "rejected",
    S.FAILED: "failed",
    S.UNKNOWN: "in-progress",
    S.CANCELLED: "cancelled",
    S.BLOCKED: "rejected",
}
MOVING = frozenset({S.APPROVED, S.SUBMITTING, S.UNKNOWN})  # on their way: ask again
ENDED = {  # of what did not get there: status and words
    S.CONFLICT: (409, "The record has changed meanwhile. The clinic looks at it."),
    S.FAILED: (422, "The health record system did not take it."),
    S.BLOCKED: (403, "no-consent"),
}


def address(command: WriteCommand) -> str:
    return f"{settings.FHIR_BASE_URL}/Task/{command.id}"


def task(command: WriteCommand, state: str = "") -> dict[str, Any]:
    """As it stands, or as it stood in `state`. It names no more of the record than the sender sent."""
    now = S(state or command.status)
    last = command.events.filter(status=now).last() if not state else None
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": str(command.id),
        "identifier": [{"system": IDENTIFIER, "value": str(command.id)}],
        "status": TASK[now],
        "businessStatus": {"coding": [{"system": STATUS, "code": str(now)}]},
        "intent": "proposal",
        "code": {"text": f"{command.interaction} {command.resource_type}"},
        "authoredOn": command.created_at.isoformat(timespec="seconds"),
    }
    if last:
        made["lastModified"] = last.at.isoformat(timespec="seconds")
    if command.target:
        made["focus"] = {"reference": command.target}
    if not state and command.reason:
        made["statusReason"] = {"coding": [{"system": REASON, "code": command.reason}]}
    if now == S.APPLIED and command.result:
        kind = {"coding": [{"system": STATUS, "code": "result"}]}
        made["output"] = [{"type": kind, "valueReference": {"reference": command.result}}]
    return made


def accepted(command: WriteCommand) -> FhirResponse:
    """202, and where to ask (FHIR R4, asynchronous request pattern). The same each time for one command."""
    first = S.AWAITING_REVIEW if command.kind and _looked_at(command) else S.APPROVED
    body = json.dumps(task(command, first)).encode()
    headers = {"Content-Type": FHIR_JSON, "Content-Location": address(command), "Retry-After": "30"}
    return FhirResponse(202, headers, body)


def _looked_at(command: WriteCommand) -> bool:
    return command.events.filter(status=S.AWAITING_REVIEW).exists()


def written(command: WriteCommand, fhir_url: str) -> FhirResponse:
    """What became of a change that nobody had to look at; 202 while that is not known."""
    state = S(command.status)
    if state == S.APPLIED:
        headers = {"Location": f"{fhir_url}/{command.result}", "Content-Location": address(command)}
        if version := command.result.partition("/_history/")[2]:
            headers["ETag"] = f'W/"{version}"'
        return FhirResponse(200 if command.target else 201, headers, b"")
    if state in ENDED:
        status, said = ENDED[state]
        answer = refused(status, [Wrong(CODE_OF_STATUS[status], said)])
        return FhirResponse(status, {**answer.headers, "Content-Location": address(command)}, answer.body)
    return accepted(command)


def refused(status: int, wrong: list[Wrong], headers: Mapping[str, str] | None = None) -> FhirResponse:
    """An OperationOutcome that names each element (FHIR R4, 2.29: `expression`)."""
    issues = [
        {
            "severity": "error",
            "code": each.code,
            "diagnostics": each.text,
            **({"expression": [each.expression]} if each.expression else {}),
        }
        for each in wrong[:20]
    ]
    body = json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()
    return FhirResponse(status, {"Content-Type": FHIR_JSON, **(headers or {})}, body)


def kept(answer: FhirResponse) -> dict[str, Any]:
    """An answer as JSON, for when the same key comes again."""
    return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body.decode()}


def again(outcome: Mapping[str, Any]) -> FhirResponse:
    headers = {**outcome["headers"], "Idempotency-Replayed": "true"}
    return FhirResponse(outcome["status"], headers, outcome["body"].encode())
