"""Proposed changes to a chart, /api/v1/writes/: the pipeline of pages and of FHIR (`fhirproxy.writes`)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.events import EventType
from fhirproxy import budgets, gate, receipts, release
from fhirproxy import views as gates
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import Refusal
from fhirproxy.writes import bodies, door
from portal.api import shapes
from portal.api.views import View, page_of

KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="One for each thing that is done, yours."
)
MADE = {200: shapes.WriteShape, 201: shapes.WriteShape, 202: shapes.WriteShape}


class WriteView(View):
    def own(self, command_id: UUID) -> WriteCommand:
        """Raises Refusal (401, 404), which stands in the log."""
        requester = self.alive()
        return gates.refusing(requester, lambda: receipts.own(requester, command_id))

    def alive(self) -> Any:
        requester = self.requester()
        if not requester.alive:
            release.refuse_unserved(requester, 401, requester.missing or "")
            raise gates.unauthorized("invalid_token", "The access token has ended.")
        budgets.admit(requester)
        return requester

    def body(self) -> bytes:
        return gates.json_of(self.request._request)

    def told(self, command: WriteCommand, status: int = 200, **headers: str) -> Response:
        shape = shapes.WriteShape(command, context={"request": self.request})
        return Response(shape.data, status=status, headers=headers | {"Cache-Control": "no-store"})


class Writes(WriteView):
    """What was sent to the chart, newest first; and more of it."""

    @extend_schema(
        operation_id="writes_list",
        parameters=[shapes.WriteQuery],
        responses=shapes.page_of(shapes.WriteShape),
    )
    def get(self, request: Request) -> Response:
        requester, asked = self.alive(), self.asked(shapes.WriteQuery)
        rows = receipts.of(requester).order_by("-created_at", "-id").select_related("client")
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        if asked["cursor"]:
            rows = gates.refusing(requester, lambda: _after(rows, asked["cursor"]))
        found = list(rows.prefetch_related("events")[: asked["count"] + 1])
        page, more = found[: asked["count"]], found[asked["count"] :]
        gates.refusing(requester, lambda: receipts.log_look(requester, "search-type", count=len(page)))
        cursor = str(page[-1].pk) if more else ""
        return page_of(request, shapes.WriteShape(page, many=True, context={"request": request}), cursor)

    @extend_schema(
        operation_id="writes_create", parameters=[KEY], request=shapes.ProposalShape, responses=MADE
    )
    def post(self, request: Request) -> Response:
        requester = self.requester()
        said = gates.refusing(requester, lambda: _said(self.body()))
        resource = said["resource"]
        asked = gates.refusing(requester, lambda: _interaction(said))
        answer = gate.serve(
            requester,
            asked,
            event=EventType.RECORD_REFUSE,
            answer=partial(
                door.take,
                headers=_headers(request, said),
                query=request.query_params,
                body=lambda: bodies.dump(resource),
                channel=WriteCommand.Channel.API,
                full_url=said.get("fullUrl", ""),
                also=said.get("also", ()),
            ),
        )
        where = answer.headers["Content-Location"].rpartition("/")[2]
        replayed = {n: v for n, v in answer.headers.items() if n == "Idempotency-Replayed"}
        return self.told(WriteCommand.objects.get(pk=where), answer.status, **replayed)


class OneWrite(WriteView):
    @extend_schema(responses=shapes.WriteShape)
    def get(self, request: Request, command_id: UUID) -> Response:
        command = self.own(command_id)
        look = partial(receipts.log_look, self.requester(), "read", target=f"WriteCommand/{command_id}")
        gates.refusing(self.requester(), look)
        return self.told(command)


class EndOfWrite(WriteView):
    """Take it back. Twice changes nothing; what is on its way or done stays."""

    @extend_schema(request=None, responses=shapes.WriteShape)
    def post(self, request: Request, command_id: UUID) -> Response:
        command = self.own(command_id)
        return self.told(gates.refusing(self.requester(), lambda: receipts.cancel(command, self.requester())))


class AnotherWrite(WriteView):
    """What was sent back, or met another change, comes again: a new one, and the old one ends."""

    @extend_schema(parameters=[KEY], request=shapes.AgainShape, responses={202: shapes.WriteShape})
    def post(self, request: Request, command_id: UUID) -> Response:
        command = self.own(command_id)
        said = gates.refusing(self.requester(), lambda: _said(self.body()))
        body = partial(bodies.dump, said["resource"])
        again = receipts.repropose(command, self.requester(), request.headers, body)
        return self.told(again, 202)


class UndoneWrite(WriteView):
    """Take back what is in the chart: a change of its own, where the chart is as this one left it."""

    @extend_schema(parameters=[KEY], request=None, responses={202: shapes.WriteShape})
    def post(self, request: Request, command_id: UUID) -> Response:
        command = self.own(command_id)
        return self.told(receipts.undo(command, self.requester(), request.headers), 202)


def _said(body: bytes) -> bodies.Resource:
    """The body as it was sent, with the digits of its numbers. Raises Refusal."""
    try:
        said = bodies.read(body)
    except bodies.NotJson as error:
        raise Refusal(400, str(error)) from None
    if unknown := set(said) - set(shapes.ProposalShape().fields):
        raise Refusal(
            400, f"{min(unknown)} is not taken here: {', '.join(shapes.ProposalShape().fields)} are."
        )
    also = said.get("also", [])
    if not isinstance(also, list) or not all(isinstance(each, dict) for each in also):
        raise Refusal(400, "also is a list: of each its resource, and a fullUrl where it is referred to.")
    if not isinstance(said.get("fullUrl", ""), str):
        raise Refusal(400, "A fullUrl is urn:uuid: with a UUID.")
    if not isinstance(said.get("resource"), dict):
        raise Refusal(400, 'Send a FHIR resource: {"resource": {…}}.')
    return said


def _interaction(said: bodies.Resource) -> Interaction:
    kind, target = str(said["resource"].get("resourceType", "")), said.get("target", "")
    if not target:
        return Interaction("create", kind)
    named, _, id = str(target).partition("/")
    if named != kind or not FHIR_ID.match(id):
        raise Refusal(400, "target is what the resource changes: its type, a slash and its id.")
    return Interaction("update", kind, id)


def _headers(request: Request, said: Mapping[str, Any]) -> dict[str, str]:
    """As the FHIR door reads them: what stands in the body here stands in headers there."""
    kept = ("idempotency-key", "x-client-version", "prefer", "if-none-exist")
    headers = {name.lower(): str(value) for name, value in request.headers.items() if name.lower() in kept}
    if "version" in said:
        headers["if-match"] = f'W/"{said["version"]}"'
    if "noted_at" in said:
        headers["x-client-time"] = str(said["noted_at"])
    return headers


def _after(rows: Any, cursor: str) -> Any:
    """Older than the last of the page before. Raises Refusal (400)."""
    try:
        last = cast(WriteCommand | None, rows.filter(pk=UUID(cursor)).first())
    except ValueError:
        last = None
    if last is None:
        raise Refusal(400, "The page link is not valid any more. Start the search again.")
    older = rows.filter(created_at__lt=last.created_at)
    return older | rows.filter(created_at=last.created_at, pk__lt=last.pk)
