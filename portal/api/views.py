"""Each view says what is asked of the gate, and shapes what it let through."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts.models import User
from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from consent.requester import Requester
from consent.versions import Act
from fhirproxy import budgets, release
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.views import refusing
from portal.activity_downloads import told
from portal.api import access, shapes

MOST_APPS = 100


class View(APIView):
    authentication_classes = (access.PersonOrClient,)
    permission_classes = ()  # who asks is authenticated, and the gate decides

    def requester(self) -> Requester:
        return cast(Requester, self.request.auth)

    def person(self) -> User:
        """The patient, in person. Raises Refusal, which stands in the log, for a client and for too much."""
        person = refusing(self.requester(), lambda: access.person_of(self.requester()))
        budgets.admit(self.requester())
        return person

    def asked(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """The query as `shape` reads it. Raises ValidationError and Refusal, which stand in the log."""
        given = self.request.query_params
        query = shape(data=given)
        if unknown := set(given) - set(query.fields):
            release.refuse_unserved(self.requester(), 400)
            raise Refusal(400, f"{min(unknown)} is not served here: {', '.join(query.fields)} are.")
        if not query.is_valid():
            release.refuse_unserved(self.requester(), 422)
            raise ValidationError(query.errors)
        return dict(query.validated_data)


class Consents(View):
    """Everyone and every use that a patient said yes or no to, newest first."""

    @extend_schema(
        operation_id="consents_list",
        parameters=[shapes.ConsentQuery],
        responses=shapes.page_of(shapes.ConsentShape),
    )
    def get(self, request: Request) -> Response:
        asked = self.asked(shapes.ConsentQuery)
        params = [("status", asked["status"])] if "status" in asked else []
        found = access.search(
            self.requester(), "Consent", params, count=asked["count"], cursor=asked["cursor"]
        )
        rows = _in_order(Consent.objects.select_related("client", "helper__user").in_bulk(found.ids), found)
        return page_of(request, shapes.ConsentShape(rows, many=True), found.cursor)


class OneConsent(View):
    @extend_schema(responses=shapes.ConsentShape)
    def get(self, request: Request, consent_id: UUID) -> Response:
        access.read(self.requester(), "Consent", consent_id)
        return Response(shapes.ConsentShape(_consent(consent_id)).data)


class EndOfConsent(View):
    """Stop one: what rests on it ends in the same moment. Twice changes nothing."""

    @extend_schema(request=None, responses=shapes.ConsentShape)
    def post(self, request: Request, consent_id: UUID) -> Response:
        access.read(self.requester(), "Consent", consent_id)
        consent = _consent(consent_id)
        if consent.status in (Consent.Status.ACTIVE, Consent.Status.PAUSED, Consent.Status.PROPOSED):
            access.end(self.requester(), consent)
        return Response(shapes.ConsentShape(_consent(consent_id)).data)


class Pause(View):
    """Hold all sharing with apps and people, as the button on the page does. To go on is done there."""

    @extend_schema(request=None, responses=shapes.ConsentShape(many=True))
    def post(self, request: Request) -> Response:
        person = self.person()
        act = Act(by=person, channel="api", language=get_language() or "")
        return Response(shapes.ConsentShape(commands.pause_all(person.patient, act=act), many=True).data)


class Activity(View):
    """Who saw or changed the record: the lines of the log themselves, newest first."""

    @extend_schema(
        operation_id="activity_list",
        parameters=[shapes.ActivityQuery],
        responses=shapes.page_of(shapes.EventShape),
    )
    def get(self, request: Request) -> Response:
        asked = self.asked(shapes.ActivityQuery)
        params = [
            ("date", f"{prefix}{asked[name].isoformat().replace('+00:00', 'Z')}")
            for name, prefix in (("since", "ge"), ("until", "lt"))
            if name in asked
        ]
        found = access.search(
            self.requester(), "AuditEvent", params, count=asked["count"], cursor=asked["cursor"]
        )
        rows = _in_order({e.id: e for e in AuditEvent.objects.filter(id__in=found.ids)}, found)
        return page_of(request, _events(self.requester(), rows), found.cursor)


class OneEvent(View):
    @extend_schema(responses=shapes.EventShape)
    def get(self, request: Request, event_id: UUID) -> Response:
        access.read(self.requester(), "AuditEvent", event_id)
        rows = list(AuditEvent.objects.filter(id=event_id))
        return Response(_events(self.requester(), rows).data[0])


class Preferences(View):
    """The language and the time zone in which pages and notices speak to the person."""

    @extend_schema(responses=shapes.PreferencesShape)
    def get(self, request: Request) -> Response:
        return Response(shapes.PreferencesShape(self.person()).data)

    @extend_schema(request=shapes.PreferencesShape(partial=True), responses=shapes.PreferencesShape)
    def patch(self, request: Request) -> Response:
        person = self.person()
        chosen = shapes.PreferencesShape(person, data=request.data, partial=True)
        chosen.is_valid(raise_exception=True)
        for name, value in chosen.validated_data.items():
            setattr(person, name, value)
        person.save(update_fields=list(chosen.validated_data))
        return Response(shapes.PreferencesShape(person).data)


class Nowhere(View):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        release.refuse_unserved(self.requester(), 404)
        raise Refusal(404, NOT_FOUND)

    post = put = patch = delete = get


def _consent(consent_id: UUID) -> Consent:
    found = Consent.objects.select_related("client", "helper__user").filter(pk=consent_id).first()
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return found


def _in_order(rows: Mapping[UUID, Any], found: access.Found) -> list[Any]:
    return [rows[id] for id in found.ids if id in rows]


def _events(requester: Requester, rows: list[AuditEvent]) -> Serializer[Any]:
    lines = () if requester.client else told(rows, requester.actor)
    context = {"by_client": bool(requester.client), "sentences": {e.id: text for e, text, _ in lines}}
    return shapes.EventShape(rows, many=True, context=context)


def page_of(request: Request, rows: Serializer[Any], cursor: str) -> Response:
    again = [(n, v) for n, v in request.query_params.items() if n != "cursor"]
    url = request.build_absolute_uri(f"{request.path}?{urlencode([*again, ('cursor', cursor)])}")
    return Response({"next": url if cursor else None, "results": rows.data})
