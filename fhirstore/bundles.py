"""Batch and transaction Bundles (R4, 3.1.0.11)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.db import transaction

from fhirstore import conditions, documents
from fhirstore.dates import instant
from fhirstore.interactions import location, update_target
from fhirstore.outcome import JSON, Answer, Refused
from fhirstore.references import Links
from fhirstore.requests import Request
from fhirstore.store import Change, Effect, Stored, Written, fetch, write

MAX_ENTRIES = 10_000
Route = Callable[[Request], Answer]

_HEADERS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifNoneExist": "if-none-exist",
    "ifModifiedSince": "if-modified-since",
}
_ORDER = ("DELETE", "POST", "PUT", "GET")  # R4, 3.1.0.11.1


@dataclass(slots=True)
class _Entry:
    """One entry, and what is found out about it on the way."""

    place: str
    full_url: str
    request: Request
    document: documents.Document | None
    target: str = ""  # Type/id that it writes
    existing: Stored | None = None  # what If-None-Exist found
    asks: bool = False  # it has conditional references, which may be to what this Bundle writes
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return self.request.path[0] if self.request.path else ""


def process(request: Request, route: Route) -> Answer:
    """Answer a batch or transaction. `route` runs a single request."""
    request.check_content_type()
    bundle = documents.parse(request.body)
    kind = bundle.get("type")
    if documents.check(bundle) != "Bundle" or kind not in ("batch", "transaction"):
        raise Refused(
            400, "invalid", "What is sent to the base is a Bundle, batch or transaction.", "Bundle.type"
        )
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise Refused(400, "too-costly", f"A Bundle has at most {MAX_ENTRIES} entries.", "Bundle.entry")
    prefer = {"prefer": request.headers.get("prefer", "")}
    if kind == "batch":
        answers = [_batch_answer(raw, n, prefer, route) for n, raw in enumerate(entries)]
    else:
        answers = _transact([_read(raw, n, prefer) for n, raw in enumerate(entries)], route)
    answered: dict[str, Any] = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if answers:
        answered["entry"] = answers
    return 200, {"Content-Type": JSON}, documents.encode(answered)


def _read(raw: Any, number: int, prefer: dict[str, str]) -> _Entry:
    place = f"Bundle.entry[{number}]"
    asked = raw.get("request") if isinstance(raw, dict) else None
    if not isinstance(asked, dict) or not all(isinstance(asked.get(k), str) for k in ("method", "url")):
        raise Refused(400, "required", "An entry has a request with a method and a url.", f"{place}.request")
    if not asked["url"].strip("/"):
        raise Refused(
            400, "not-supported", "A Bundle within a Bundle is not processed.", f"{place}.request.url"
        )
    if asked["method"] not in _ORDER:
        raise Refused(
            400, "not-supported", "The method is GET, POST, PUT or DELETE.", f"{place}.request.method"
        )
    headers = {header: str(asked[name]) for name, header in _HEADERS.items() if name in asked}
    request = replace(Request.to(asked["method"], asked["url"], headers | prefer), method=asked["method"])
    document = raw.get("resource")
    if request.method in {"POST", "PUT"} and not isinstance(document, dict):
        raise Refused(400, "required", "This entry has a resource.", f"{place}.resource")
    full_url = raw.get("fullUrl")
    return _Entry(place, full_url if isinstance(full_url, str) else "", request, document)


def _batch_answer(raw: Any, number: int, prefer: dict[str, str], route: Route) -> dict[str, Any]:
    """Each entry for itself, in a savepoint of its own."""
    try:
        entry = _read(raw, number, prefer)
    except Refused as refused:
        return _refusal(refused)
    try:
        body = b""
        if entry.document is not None and entry.request.method in {"POST", "PUT"}:
            _resolve(Links.of(entry.document))
            body = documents.encode(entry.document)
        with transaction.atomic():
            status, headers, answered = route(replace(entry.request, body=body))
    except Refused as refused:
        return _refusal(refused.within(entry.place))
    return _response(status, headers, answered)


def _refusal(refused: Refused) -> dict[str, Any]:
    status = f"{refused.status} {HTTPStatus(refused.status).phrase}"
    return {"response": {"status": status, "outcome": refused.as_resource()}}


def _response(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    response = {"status": f"{int(status)} {HTTPStatus(status).phrase}"}
    for header, name in (("Location", "location"), ("ETag", "etag")):
        if header in headers:
            response[name] = headers[header]
    return {"resource": msgspec.Raw(body), "response": response} if body else {"response": response}


def _resolve(links: Links) -> None:
    """Put what they find in the place of conditional references."""
    found = {}
    for reference in links.criteria():
        kind, _, criteria = reference.partition("?")
        if (fhir_id := conditions.match(kind, criteria)) is None:
            told = f"A conditional reference to {kind} fits no resource."
            raise Refused(412, "not-found", told)
        found[reference] = f"{kind}/{fhir_id}"
    links.replace(found)


def _transact(entries: Sequence[_Entry], route: Route) -> list[dict[str, Any]]:
    """All or nothing: the caller's transaction ends with the Refused that leaves here."""
    _lock(entries)
    for entry in entries:
        _in_place(entry, _aim)
    targets: dict[str, str] = {}
    for entry in entries:
        _in_place(entry, lambda e: _name(e, targets))
    for entry in entries:
        _in_place(entry, lambda e: _rewrite(e, targets))
    _once_each(entries)
    _write([entry for entry in entries if not entry.asks])
    asking = [entry for entry in entries if entry.asks]
    for entry in asking:
        _in_place(entry, _resolve_in)
    _write(asking)
    for entry in entries:
        if entry.request.method == "GET":
            _in_place(entry, lambda e: _get(e, route))
    return [entry.answer for entry in entries]


def _in_place(entry: _Entry, step: Callable[[_Entry], None]) -> None:
    """Run a step, and say of a refusal which entry it is about."""
    try:
        step(entry)
    except Refused as refused:
        raise refused.within(entry.place) from None


def _criteria(entry: _Entry) -> str:
    if entry.request.method == "POST":
        return entry.request.headers.get("if-none-exist", "").removeprefix(entry.type).removeprefix("?")
    return urlencode(entry.request.query) if len(entry.request.path) == 1 else ""


def _lock(entries: Sequence[_Entry]) -> None:
    wanted = [(e.type, _criteria(e)) for e in entries if e.request.method != "GET" and _criteria(e)]
    if wanted:
        conditions.lock(wanted)


def _aim(entry: _Entry) -> None:
    """Check an entry, and find out which resource it writes."""
    method, document = entry.request.method, entry.document
    if method == "GET":
        return
    if method == "DELETE":
        entry.target, entry.document = _delete_target(entry), None
        return
    if document is None or documents.check(document) != entry.type:
        raise Refused(400, "invalid", "The url and the resource of this entry are of different types.")
    entry.target = f"{entry.type}/{_write_id(entry, document)}"


def _delete_target(entry: _Entry) -> str:
    """Empty where nothing fits the criteria: it is gone already."""
    path, criteria = entry.request.path, _criteria(entry)
    if len(path) == 2:
        return "/".join(path)
    if len(path) != 1 or not criteria:
        raise Refused(400, "not-supported", "The url of a DELETE is Type/id or Type?criteria.")
    if (found := conditions.match(entry.type, criteria)) is not None:
        return f"{entry.type}/{found}"
    entry.answer = {"response": {"status": "204 No Content"}}
    return ""


def _write_id(entry: _Entry, document: documents.Document) -> str:
    path, criteria = entry.request.path, _criteria(entry)
    if entry.request.method == "PUT" and len(path) == 2:
        if document.get("id") != path[1]:
            raise Refused(
                400, "invalid", "The id in the resource is not the id in the url.", f"{entry.type}.id"
            )
        return path[1]
    if len(path) != 1 or (entry.request.method == "PUT" and not criteria):
        raise Refused(
            400, "not-supported", "The url of a POST is Type, that of a PUT Type/id or Type?criteria."
        )
    if entry.request.method == "PUT":
        return update_target(entry.type, document, criteria)
    if criteria and (found := conditions.match(entry.type, criteria)) is not None:
        entry.existing = fetch(entry.type, found)
        return found
    return str(uuid.uuid4())


def _name(entry: _Entry, targets: dict[str, str]) -> None:
    """By its fullUrl other entries refer to it: one name for two could mean another patient (R4, bdl-7)."""
    if entry.full_url and entry.target and targets.setdefault(entry.full_url, entry.target) != entry.target:
        raise Refused(400, "duplicate", "Another entry of the Bundle has the same fullUrl.")


def _rewrite(entry: _Entry, targets: Mapping[str, str]) -> None:
    """References within the Bundle become Type/id."""
    if entry.document is None:
        return
    links = Links.of(entry.document)
    if lost := links.urns() - targets.keys():
        told = f"{len(lost)} reference(s) to a urn that no entry of the Bundle has as fullUrl."
        raise Refused(400, "not-found", told)
    links.replace(targets)
    entry.asks = bool(links.criteria())


def _resolve_in(entry: _Entry) -> None:
    """Conditional references become Type/id: last, to find what the Bundle wrote (R4, 3.1.0.11.1)."""
    if entry.document is not None:
        _resolve(Links.of(entry.document))


def _once_each(entries: Sequence[_Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.target and entry.existing is None:
            if entry.target in seen:
                raise Refused(400, "invalid", "Two entries write the same resource.", entry.place)
            seen.add(entry.target)


def _write(entries: Sequence[_Entry]) -> None:
    writing = sorted(
        (e for e in entries if e.target and e.existing is None), key=lambda e: _ORDER.index(e.request.method)
    )
    changes: list[Change] = []
    for entry in writing:
        _in_place(entry, lambda e: changes.append(_change(e)))
    for entry, written in zip(writing, _write_all(writing, changes), strict=True):
        entry.answer = _written(entry, written)
    for entry in entries:
        if entry.existing is not None:
            entry.answer = _written(entry, Written(Effect.UNCHANGED, entry.existing))


def _write_all(writing: Sequence[_Entry], changes: Sequence[Change]) -> list[Written]:
    try:
        return write(changes) if changes else []
    except Refused as refused:
        if refused.position is None:
            raise
        raise refused.within(writing[refused.position].place) from None


def _change(entry: _Entry) -> Change:
    kind, _, fhir_id = entry.target.partition("/")
    made = documents.content(entry.document, fhir_id) if entry.document is not None else None
    return Change(kind, fhir_id, made, entry.request.if_match())


def _written(entry: _Entry, done: Written) -> dict[str, Any]:
    stored = done.stored
    status = HTTPStatus.CREATED if done.effect is Effect.CREATED else HTTPStatus.OK
    if entry.request.method == "DELETE":
        status = HTTPStatus.NO_CONTENT
    response = {"status": f"{status.value} {status.phrase}"}
    if stored.version:
        response |= {
            "location": location(stored),
            "etag": f'W/"{stored.version}"',
            "lastModified": instant(stored.last_updated),
        }
    answer: dict[str, Any] = {"response": response}
    if entry.request.prefers("return") == "representation" and not stored.deleted:
        answer = {"resource": msgspec.Raw(stored.body)} | answer
    return answer


def _get(entry: _Entry, route: Route) -> None:
    status, headers, body = route(entry.request)
    entry.answer = _response(status, headers, body)
