"""Who asks, and what the gate lets them see: a page of the API is a page of the gate's own search."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import User
from consent import resources
from consent.models import Consent
from consent.requester import Requester
from fhirproxy import audit_events, consent_changes, consent_reads, gate
from fhirproxy.consents import person_or_client
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FhirResponse

Answer = Callable[[Call], FhirResponse]
SEARCH: Mapping[str, Answer] = {"Consent": consent_reads.search, "AuditEvent": audit_events.search}
READ: Mapping[str, Answer] = {"Consent": consent_reads.read, "AuditEvent": audit_events.read}


class PersonOrClient(BaseAuthentication):
    """The patient who is signed in, with their CSRF token, or the client whose access token it is."""

    def authenticate(self, request: Request) -> tuple[Any, Requester]:
        requester = person_or_client(request._request)
        return request._request.user, requester


class PersonOrClientScheme(OpenApiAuthenticationExtension):
    target_class = PersonOrClient
    name = ["session", "smart"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            {"type": "http", "scheme": "bearer", "description": "A SMART access token, or DPoP."},
        ]


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of one page, in the gate's order, and where the next begins ("" at the end)."""

    ids: Sequence[UUID]
    cursor: str


class _Entry(msgspec.Struct):
    resource: dict[str, Any]


class _Bundle(msgspec.Struct):
    entry: list[_Entry] = msgspec.field(default_factory=list)
    link: list[dict[str, str]] = msgspec.field(default_factory=list)


def search(
    requester: Requester, kind: str, params: Sequence[tuple[str, str]], *, count: int, cursor: str
) -> Found:
    """One page of what may be seen of a kind ("Consent", "AuditEvent"). Raises Refusal."""
    if kind == "Consent" and cursor:
        asked = Interaction("search-type", kind, cursor=cursor)  # it holds the rest, sealed
    else:
        asked = Interaction("search-type", kind, params=tuple(params), count=count, cursor=cursor)
    bundle = msgspec.json.decode(gate.serve(requester, asked, answer=SEARCH[kind]).body, type=_Bundle)
    following = next((link["url"] for link in bundle.link if link["relation"] == "next"), "")
    after = parse_qs(urlsplit(following).query).get("_cursor", [""])[0]
    return Found([UUID(entry.resource["id"]) for entry in bundle.entry], after)


def read(requester: Requester, kind: str, id: UUID) -> None:
    """Let the gate decide on one. Raises Refusal (404) for what is not theirs to see."""
    gate.serve(requester, Interaction("read", kind, str(id)), answer=READ[kind])


def end(requester: Requester, consent: Consent) -> None:
    """End a consent, as `PUT /fhir/r4/Consent/…` with status inactive does. Raises Refusal."""
    known_as = requester.identities.get(Source.primary().slug, "")
    resource = resources.out(consent.current, f"Patient/{known_as}") | {"status": "inactive"}
    resource.pop("extension", None)  # says that it was paused
    answer = partial(consent_changes.update, resource=resource, number=consent.current_number)
    asked = Interaction("update", "Consent", str(consent.pk))
    gate.serve(requester, asked, event=consent_changes.REFUSED, answer=answer)


def person_of(requester: Requester) -> User:
    """The patient, in person. Raises Refusal (404) for a client: this is not for apps."""
    if requester.client:
        raise Refusal(404, NOT_FOUND)
    return User.objects.get(pk=requester.actor.removeprefix("User/"))
