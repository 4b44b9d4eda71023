"""Records for pages: the same gate that apps go through, asked in the name of the person signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
from django.http import Http404
from django.utils import timezone

from consent import authority
from consent.authority import Requester
from fhirproxy import attachments, gate, interactions
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import Refusal
from fhirproxy.served import SERVED
from portal.guards import PatientRequest

Resource = dict[str, Any]
DECODER = msgspec.json.Decoder(Resource, float_hook=Decimal)  # so that 4.10 keeps its digits
MOST_PAGES = 20  # of 200: a page that needs more is a page that needs a filter


class Unavailable(Exception):
    """The health record system, or the log, did not answer. Nothing can be shown just now."""


def requester_of(request: PatientRequest) -> Requester:
    """Who is looking; looked up once a request."""
    if request.requester is None:
        request.requester = authority.for_own_record(request.user, request.patient, timezone.now())
    return request.requester


def search(request: PatientRequest, resource_type: str, *params: tuple[str, str]) -> list[Resource]:
    """All matches in this patient's record, as the gate lets them through.

    Raises Unavailable. What the gate withholds is not there and not counted.
    """
    return search_as(requester_of(request), resource_type, *params)


def search_as(requester: Requester, resource_type: str, *params: tuple[str, str]) -> list[Resource]:
    """The same for a requester who is not the patient, such as a clinician."""
    with _as_page():
        interaction = interactions.search(resource_type, [*params, ("_count", "200")])
    found: list[Resource] = []
    for _ in range(MOST_PAGES):
        bundle = _serve(requester, interaction)
        found += [entry["resource"] for entry in bundle.get("entry", [])]
        following = next((x["url"] for x in bundle.get("link", []) if x["relation"] == "next"), "")
        if not following:
            break
        cursor = following.split("_cursor=", 1)[1]
        interaction = interactions.search(resource_type, [("_cursor", cursor)])
    return found


def read(request: PatientRequest, resource_type: str, resource_id: str) -> Resource:
    """One resource of this patient's record. Raises Http404 and Unavailable."""
    if resource_type not in SERVED or not interactions.FHIR_ID.match(resource_id):
        raise Http404
    return _serve(requester_of(request), Interaction("read", resource_type, resource_id))


def attachment(request: PatientRequest, document_id: str, index: int = 0) -> tuple[bytes, str]:
    """(bytes, content type) of one attachment of a DocumentReference; its decision is the document's.

    Raises Http404 where there is no such attachment, and Unavailable.
    """
    if not interactions.FHIR_ID.match(document_id):
        raise Http404
    with _as_page():
        return attachments.read(requester_of(request), document_id, index)


def _serve(requester: Requester, interaction: Interaction) -> Resource:
    with _as_page():
        answer = gate.serve(requester, interaction)
    return DECODER.decode(answer.body)


@contextmanager
def _as_page() -> Iterator[None]:
    """A refusal of the gate as what a page can say: there is none, or not now."""
    try:
        yield
    except Refusal as refusal:
        if refusal.status in (400, 403, 404):
            raise Http404 from refusal
        raise Unavailable(refusal.diagnostics) from refusal
