"""Where a sender asks what became of a change that it sent, takes it back, or sends it again, changed."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from audit.events import EventType, Outcome
from audit.log import Entry, record
from consent.decision import Reason
from consent.requester import Requester
from fhirproxy import budgets, release, views
from fhirproxy.messages import FHIR_JSON, FhirResponse
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.writes import bodies, commands, deciding, door, receipts

SERVED = "A receipt is read; DELETE takes the change back; POST sends it again, changed."


@csrf_exempt  # a bearer token opens this, never a cookie
@views.answering
def receipt(request: HttpRequest, command_id: UUID) -> HttpResponse:
    views.accepts_json(request)
    requester = views.bearer(request)
    if not requester.alive:
        release.refuse_unserved(requester, 401, requester.missing or Reason.TOKEN)
        raise views.unauthorized("invalid_token", "The access token has ended.")
    budgets.admit(requester)
    command = views.refusing(requester, lambda: own(requester, command_id))
    if request.method == "DELETE":
        views.refusing(requester, lambda: cancel(command, requester))
        return HttpResponse(status=204)
    if request.method == "POST":
        again = repropose(command, requester, request.headers, lambda: views.json_of(request))
        return views.http(receipts.accepted(again))
    if request.method != "GET":
        raise Refusal(405, SERVED, {"Allow": "DELETE, GET, POST"})
    log_look(requester, "read", target=f"WriteCommand/{command.pk}")
    body = bodies.dump(receipts.task(command))
    return views.http(FhirResponse(200, {"Content-Type": FHIR_JSON, "Cache-Control": "no-store"}, body))


def of(requester: Requester) -> QuerySet[WriteCommand]:
    """What this client sent for this patient; to the patient in person, all that was sent for them."""
    mine = WriteCommand.objects.filter(patient=requester.patient_id)
    if requester.client:
        return mine.filter(client__client_id=requester.client.removeprefix("Client/"))
    return mine


def own(requester: Requester, command_id: UUID) -> WriteCommand:
    """Raises Refusal (404)."""
    command = of(requester).filter(pk=command_id).first()
    if command is None:
        raise Refusal(404, NOT_FOUND)
    return command


def cancel(command: WriteCommand, requester: Requester) -> WriteCommand:
    """Raises Refusal (403, 409)."""
    if not requester.is_still_in_force():
        raise Refusal(403, "no-consent")
    try:
        return commands.cancel(command, requester=requester, by=door.author_of(requester))
    except commands.WrongState:
        raise Refusal(409, "It is on its way, or done: it cannot be taken back any more.") from None


def repropose(
    command: WriteCommand, requester: Requester, headers: Mapping[str, str], body: door.Body
) -> WriteCommand:
    """What was sent back comes again, changed. Raises Refusal, which stands in the log."""
    call = deciding.call_for(requester, command.source, command.interaction, command.resource_type)
    with door.told(call):
        key = _key(headers)
        resource = door.resource_of(call, body)
        by = door.author_of(requester)
        again = commands.repropose(command, resource, requester=requester, by=by, key=key)
    door.soon(again)
    return again


def undo(command: WriteCommand, requester: Requester, headers: Mapping[str, str]) -> WriteCommand:
    """What was written is taken back, by a new command. Raises Refusal, which stands in the log."""
    call = deciding.call_for(requester, command.source, "update", command.resource_type)
    with door.told(call):
        key, by = _key(headers), door.author_of(requester)
        again = commands.undo(command, requester=requester, by=by, key=key)
    door.soon(again)
    return again


def _key(headers: Mapping[str, str]) -> str:
    key = door.key_of({name.lower(): value for name, value in headers.items()})
    if not key:
        raise Refusal(400, "Send an Idempotency-Key: so that it is done once.")
    return key


def log_look(requester: Requester, interaction: str, *, target: str = "", count: int | None = None) -> None:
    """Raises Refusal where what lets the sender in has ended meanwhile."""
    row = record(
        Entry(
            type=EventType.RECORD_READ if interaction == "read" else EventType.RECORD_SEARCH,
            outcome=Outcome.PERMIT,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction=interaction,
            resource_types=("Task",),
            purpose=requester.purpose,
            target=target,
            count=count,
        ),
        only_if=requester.still_in_force(),
    )
    if row is None:
        raise Refusal(403, "no-consent")
