"""The front door of the embedded FHIR server. There is no URL to it: a caller in this process only."""

import traceback
from collections.abc import Callable, Mapping, Sequence

import structlog
from django.conf import settings
from django.db import DataError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

from fhirstore import bundles, capability, documents, history, interactions, structure
from fhirstore.definitions import COMPARTMENT, TYPES
from fhirstore.docref import docref
from fhirstore.documents import ID
from fhirstore.everything import everything
from fhirstore.outcome import JSON, Answer, Refused
from fhirstore.requests import Request
from fhirstore.search import query, run

log = structlog.get_logger(__name__)
Handler = Callable[..., Answer]


def handle(
    method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> Answer:
    """Answer one FHIR R4 request: (status, headers, body).

    `path` is relative to the base and has no leading slash: `Observation/123`, `Observation`, "" for
    Bundles. Every refusal is an OperationOutcome; a write is one transaction, or a savepoint in the
    caller's. Never raises for what a client can send.
    """
    names = {name.lower(): value for name, value in headers.items()}
    segments = tuple(segment for segment in path.split("/") if segment)
    request = Request(method.upper(), segments, tuple(query), names, body)
    try:
        request.check_size(settings.FHIRSTORE_MAX_BODY)
        request.check_accept()
        if _writes(request):
            with transaction.atomic():
                return _route(request)
        return _route(request)
    except Refused as refused:
        return refused.answer()
    except DataError:
        told = "One of the values is larger than the record store can hold."
        return Refused(422, "too-long", told).answer()
    except OperationalError as error:
        if isinstance(error.__cause__, DeadlockDetected):
            told = "Somebody else writes the same resources in another order. Send it again."
            return Refused(409, "conflict", told).answer()
        log.error("fhirstore-unavailable", reason=type(error).__name__)
        told = "The record store cannot be reached. Try again."
        return Refused(503, "transient", told, headers={"Retry-After": "5"}).answer()
    except Exception as error:
        log.error("fhirstore-failed", reason=_where(error), method=request.method)
        return Refused(500, "exception", "The request failed inside the record store.").answer()


def problems(body: bytes) -> list[tuple[str, str, str]]:
    """What is wrong with a document, by R4's structures: (FHIRPath, IssueType code, text); empty: nothing."""
    try:
        structure.check(documents.parse(body))
    except Refused as refused:
        return [(each.expression, each.code, each.diagnostics) for each in refused.issues]
    return []


def _writes(request: Request) -> bool:
    last = request.path[-1] if request.path else ""
    return request.method in {"POST", "PUT", "DELETE"} and not last.startswith(("_search", "$"))


def _where(error: Exception) -> str:
    """The kind and place of a fault. Its message could hold a word from a record, so it stays out."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}"


def _route(request: Request) -> Answer:
    handlers, arguments = _find(request.path)
    handler = handlers.get(request.method)
    if handler is None:
        told = f"{request.method} is not possible here; {', '.join(sorted(handlers))} is."
        raise Refused(405, "not-supported", told, headers={"Allow": ", ".join(sorted(handlers))})
    if len(arguments) > 1 and request.method != "PUT" and not ID.fullmatch(arguments[1]):
        raise Refused(404, "not-found", f"There is no such {arguments[0]}.")
    return handler(request, *arguments)


def _find(path: tuple[str, ...]) -> tuple[dict[str, Handler], tuple[str, ...]]:
    """Handlers by method for a path, and what they take besides the request."""
    if path in _FIXED:
        return _FIXED[path], ()
    if path and path[0] not in TYPES:
        raise Refused(404, "not-supported", "There is no such resource type in FHIR R4.")
    match path:
        case (kind,):
            return _TYPE, (kind,)
        case (kind, "_search"):
            return {"POST": _search}, (kind,)
        case (kind, fhir_id) if not fhir_id.startswith(("$", "_")):
            return _INSTANCE, (kind, fhir_id)
        case (kind, "_history"):
            return {"GET": history.of_type}, (kind,)
        case ("DocumentReference", "$docref"):
            return {"GET": docref, "POST": docref}, ("DocumentReference",)
        case (kind, fhir_id, "_history"):
            return {"GET": history.of_resource}, (kind, fhir_id)
        case (kind, fhir_id, "_history", version):
            return {"GET": interactions.vread}, (kind, fhir_id, version)
        case ("Patient", fhir_id, "$everything"):
            return {"GET": everything, "POST": everything}, ("Patient", fhir_id)
        case ("Patient", fhir_id, kind) if kind in COMPARTMENT:
            return {"GET": _search_compartment}, ("Patient", fhir_id, kind)
        case ("Patient", fhir_id, kind, "_search") if kind in COMPARTMENT:
            return {"POST": _search_compartment}, ("Patient", fhir_id, kind)
    raise Refused(404, "not-supported", "There is nothing at this address.")


def _search(request: Request, kind: str) -> Answer:
    return 200, {"Content-Type": JSON}, run.answer(_read_search(request, kind))


def _search_compartment(request: Request, _: str, patient: str, kind: str) -> Answer:
    """Resources of a type in the compartment of a patient (R4, 3.1.0.11.2)."""
    asked = _read_search(request, kind)
    asked.within_patient(patient)
    return 200, {"Content-Type": JSON}, run.answer(asked)


def _read_search(request: Request, kind: str) -> query.Query:
    pairs = list(request.query)
    if request.method == "POST":
        request.check_content_type({"application/x-www-form-urlencoded"})
        pairs += request.form()
    return query.read(kind, pairs, strict=request.is_strict)


def _metadata(request: Request) -> Answer:
    return 200, {"Content-Type": JSON}, capability.statement()


def _bundle(request: Request) -> Answer:
    return bundles.process(request, _route)


_FIXED: dict[tuple[str, ...], dict[str, Handler]] = {
    (): {"POST": _bundle},
    ("metadata",): {"GET": _metadata},
}
_TYPE: dict[str, Handler] = {
    "GET": _search,
    "POST": interactions.create,
    "PUT": interactions.conditional_update,
    "DELETE": interactions.conditional_delete,
}
_INSTANCE: dict[str, Handler] = {
    "GET": interactions.read,
    "PUT": interactions.update,
    "DELETE": interactions.delete,
}
