"""Addresses and a middleware that only the bench's web server has: its denominators, and its counters.

    r0     an empty view
    r1     one SELECT by key, its bytes out
    store  the embedded EHR alone, with no gate in front of it

Each stands at /bench/… behind the site's whole middleware; r0 and r1 at /bench/bare/… too, before any.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from fhirstore.server import handle

FHIR_JSON = "application/fhir+json"
BY_KEY = "SELECT body FROM fhirstore_resource WHERE key = %s"
TALLY = "X-Bench-Tally"  # a request with this header is answered with what it cost
Handler = Callable[[HttpRequest], HttpResponse]


@dataclass(slots=True)
class Tally:
    """What one request did. SQL of the embedded EHR is told apart: a real one has a database of its own."""

    sql: int = 0
    ehr: int = 0
    ehr_sql: int = 0
    in_ehr: bool = False

    def count(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """A wrapper for `connection.execute_wrapper`."""
        if self.in_ehr:
            self.ehr_sql += 1
        else:
            self.sql += 1
        return execute(*arguments)


_at_work = threading.local()


def front(get_response: Handler) -> Handler:
    """The first middleware of all."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if bare := BARE.get(request.path_info):
            return bare(request)
        if TALLY not in request.headers:
            return get_response(request)
        tally = _at_work.tally = Tally()
        try:
            with connection.execute_wrapper(tally.count):
                response = get_response(request)
        finally:
            _at_work.tally = None
        response.headers[TALLY] = json.dumps(asdict(tally))
        return response

    return middleware


def store(
    method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """The embedded EHR's entry point, with its calls counted where somebody wants to know."""
    tally: Tally | None = getattr(_at_work, "tally", None)
    if tally is None:
        return handle(method, path, query, headers, body)
    tally.ehr += 1
    tally.in_ehr = True
    try:
        return handle(method, path, query, headers, body)
    finally:
        tally.in_ehr = False


def r0(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type=FHIR_JSON)


def r1(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(BY_KEY, [int(request.GET["key"])])
        return HttpResponse(cursor.fetchone()[0], content_type=FHIR_JSON)


def store_alone(request: HttpRequest, path: str) -> HttpResponse:
    status, headers, body = handle("GET", path, tuple(request.GET.items()), {"Accept": FHIR_JSON}, b"")
    return HttpResponse(body, status=status, headers=headers)


BARE: Mapping[str, Handler] = {"/bench/bare/r0": r0, "/bench/bare/r1": r1}

urlpatterns = [
    path("bench/r0", r0),
    path("bench/r1", r1),
    path("bench/store/<path:path>", store_alone),
    path("", include("config.urls")),
]
