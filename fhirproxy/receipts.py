"""Where an app asks what became of a change that it sent, and where it takes it back."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.models import User
from audit.events import EventType, Outcome
from audit.log import Entry, record
from consent.decision import Reason
from consent.requester import Requester
from fhirproxy import budgets, release, views
from fhirproxy.messages import FHIR_JSON, FhirResponse
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.writes import bodies, commands, receipts


@csrf_exempt  # a bearer token opens this, never a cookie
@views.answering
def receipt(request: HttpRequest, command_id: UUID) -> HttpResponse:
    views.accepts_json(request)
    requester = views.bearer(request)
    if not requester.alive:
        release.refuse_unserved(requester, 401, requester.missing or Reason.TOKEN)
        raise views.unauthorized("invalid_token", "The access token has ended.")
    budgets.admit(requester)
    command = views.refusing(requester, lambda: _own(requester, command_id))
    if request.method == "DELETE":
        views.refusing(requester, lambda: _cancel(command, requester))
        return HttpResponse(status=204)
    if request.method != "GET":
        raise Refusal(405, "A receipt is read; DELETE takes the change back.", {"Allow": "DELETE, GET"})
    _log(command, requester)
    body = bodies.dump(receipts.task(command))
    return views.http(FhirResponse(200, {"Content-Type": FHIR_JSON, "Cache-Control": "no-store"}, body))


def _own(requester: Requester, command_id: UUID) -> WriteCommand:
    """What this client sent for this patient. Raises Refusal (404)."""
    client_id = requester.client.removeprefix("Client/")
    mine = WriteCommand.objects.filter(patient=requester.patient_id, client__client_id=client_id)
    command = mine.filter(pk=command_id).first()
    if command is None:
        raise Refusal(404, NOT_FOUND)
    return command


def _cancel(command: WriteCommand, requester: Requester) -> None:
    if requester.user_id is None or not requester.is_still_in_force():
        raise Refusal(403, "no-consent")
    try:
        commands.cancel(command, requester=requester, by=User.objects.get(pk=requester.user_id))
    except commands.WrongState:
        raise Refusal(409, "It is on its way, or done: it cannot be taken back any more.") from None


def _log(command: WriteCommand, requester: Requester) -> None:
    """Raises Refusal where what lets the client in has ended meanwhile."""
    row = record(
        Entry(
            type=EventType.RECORD_READ,
            outcome=Outcome.PERMIT,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction="read",
            resource_types=("Task",),
            purpose=requester.purpose,
            target=f"WriteCommand/{command.pk}",
        ),
        only_if=requester.still_in_force(),
    )
    if row is None:
        raise Refusal(403, "no-consent")
