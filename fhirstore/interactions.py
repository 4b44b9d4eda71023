"""The interactions with one resource (R4, 3.1.0): read, vread, history, create, update, delete."""

import uuid
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import urlencode

from django.conf import settings

from fhirstore import conditions, documents
from fhirstore.outcome import JSON, Answer, Refused, operation_outcome
from fhirstore.requests import Request, etag_version, http_date
from fhirstore.store import Change, Effect, Stored, Written, fetch, write


def read(request: Request, kind: str, fhir_id: str) -> Answer:
    stored = _existing(fetch(kind, fhir_id), kind)
    headers = version_headers(stored)
    if _is_not_modified(request, stored):
        return 304, headers, b""
    return 200, {"Content-Type": JSON, **headers}, stored.body.encode()


def vread(request: Request, kind: str, fhir_id: str, version: str) -> Answer:
    number = etag_version(version)
    stored = _existing(fetch(kind, fhir_id, number) if number else None, kind)
    return 200, {"Content-Type": JSON, **version_headers(stored)}, stored.body.encode()


def _existing(stored: Stored | None, kind: str) -> Stored:
    if stored is None:
        raise Refused(404, "not-found", f"There is no such {kind}.")
    if stored.deleted:
        raise Refused(410, "deleted", f"This {kind} was deleted.", headers=version_headers(stored))
    return stored


def version_headers(stored: Stored) -> dict[str, str]:
    return {
        "ETag": f'W/"{stored.version}"',
        "Last-Modified": format_datetime(stored.last_updated, usegmt=True),
    }


def _is_not_modified(request: Request, stored: Stored) -> bool:
    if tags := request.headers.get("if-none-match"):
        return tags == "*" or stored.version in {etag_version(tag) for tag in tags.split(",")}
    since = http_date(request.headers.get("if-modified-since", ""))
    return since is not None and stored.last_updated.timestamp() // 1 <= since


def body_of(request: Request, kind: str) -> documents.Document:
    """The resource in the body, which must be of the type in the URL."""
    request.check_content_type()
    document = documents.parse(request.body)
    if documents.check(document) != kind:
        raise Refused(422, "invalid", f"The URL says {kind}, the body is of another type.", "resourceType")
    return document


def create(request: Request, kind: str) -> Answer:
    """Create under a new id; with If-None-Exist, only where nothing fits its criteria."""
    document = body_of(request, kind)
    if criteria := request.headers.get("if-none-exist", "").removeprefix(f"{kind}?"):
        conditions.lock([(kind, criteria)])
        if (found := conditions.match(kind, criteria)) is not None:
            return _written(request, Written(Effect.UNCHANGED, _existing(fetch(kind, found), kind)))
    return _write(request, document, str(uuid.uuid4()))


def update(request: Request, kind: str, fhir_id: str) -> Answer:
    """Update, or create under the client's id (R4, 3.1.0.7.1)."""
    document = body_of(request, kind)
    if not documents.ID.fullmatch(fhir_id):
        raise Refused(400, "value", "An id has 1 to 64 letters, digits, hyphens and dots.")
    if document.get("id") != fhir_id:
        raise Refused(400, "invalid", "The id in the body is not the id in the URL.", f"{kind}.id")
    return _write(request, document, fhir_id)


def conditional_update(request: Request, kind: str) -> Answer:
    """Update the one resource that fits the criteria, or create it."""
    document = body_of(request, kind)
    criteria = urlencode(request.query)
    conditions.lock([(kind, criteria)])
    return _write(request, document, update_target(kind, document, criteria))


def update_target(kind: str, document: documents.Document, criteria: str) -> str:
    """The id that a conditional update writes to."""
    found, said = conditions.match(kind, criteria), document.get("id")
    if found is not None and said not in {None, found}:
        raise Refused(400, "invalid", "The id in the body is not that of the resource found.", f"{kind}.id")
    return found or said or str(uuid.uuid4())


def delete(request: Request, kind: str, fhir_id: str) -> Answer:
    """Deleting what is not there is done already (R4, 3.1.0.7.2)."""
    done = write([Change(kind, fhir_id, None, request.if_match())])[0]
    return 204, version_headers(done.stored) if done.stored.version else {}, b""


def conditional_delete(request: Request, kind: str) -> Answer:
    """Delete the one resource that fits the criteria; where none does, it is done already (R4, 3.1.0.7.1)."""
    criteria = urlencode(request.query)
    conditions.lock([(kind, criteria)])
    found = conditions.match(kind, criteria)
    return delete(request, kind, found) if found else (204, {}, b"")


def _write(request: Request, document: documents.Document, fhir_id: str) -> Answer:
    made = documents.content(document, fhir_id)
    return _written(request, write([Change(made.type, fhir_id, made, request.if_match())])[0])


def _written(request: Request, done: Written) -> Answer:
    stored = done.stored
    headers = version_headers(stored) | {"Location": location(stored)}
    status = HTTPStatus.CREATED if done.effect is Effect.CREATED else HTTPStatus.OK
    wanted = request.prefers("return", "representation")
    if wanted == "minimal":
        return status, headers, b""
    body = stored.body.encode()
    if wanted == "OperationOutcome":
        body = documents.encode(operation_outcome("information", "informational", f"{done.effect}."))
    return status, {"Content-Type": JSON, **headers}, body


def location(stored: Stored) -> str:
    return f"{settings.FHIR_BASE_URL}/{stored.type}/{stored.fhir_id}/_history/{stored.version}"
