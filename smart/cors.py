"""Which pages elsewhere may read our answers (CORS, Fetch 3.2): discovery any, the rest those of the app.

The pages of a client are at the origins of its redirect URIs, and where it registered others. No answer
ever lets cookies along, so what is opened here is only what a token or a code opens anyway (threat A16).
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from smart.models import Client

Handler = Callable[[HttpRequest], HttpResponse]
# SMART Health Links are opened by pages of anybody's: who has the link has all that they need.
OPEN = re.compile(r"/\.well-known/|/shl/|/fhir/([^/]+/)?r4/(metadata$|\.well-known/)")
PER_CLIENT = re.compile(r"/fhir/|/api/|/o/(token|par|revoke_token|introspect|userinfo)/")
METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
HEADERS = (
    "accept, authorization, content-type, dpop, idempotency-key, if-match, if-modified-since, if-none-exist, "
    "if-none-match, if-range, prefer, range, x-client-version, x-request-id"
)
EXPOSED = (
    "Content-Location, Content-Range, ETag, Expires, Idempotency-Replayed, Last-Modified, Location, "
    "Retry-After, WWW-Authenticate, X-Audit-Receipt, X-Progress, X-Request-Id"
)
MAX_AGE = "600"  # seconds that a browser keeps a preflight
OUT = (Client.Status.SUSPENDED, Client.Status.BLOCKED, Client.Status.REMOVED)
KEPT, AGAIN = 60.0, 2.0  # seconds that what we read holds; and at least, where an origin is not in it


class Origins:
    """Who registered which origin, read again each minute, or sooner for one that is not known.

    What is old here lets a page read the answer to its own request a minute longer; what the request may
    do is decided anew each time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Mapping[str, frozenset[str]] = {}
        self._read_at = -KEPT

    def clients_at(self, origin: str) -> frozenset[str]:
        """The client_ids of those who registered it."""
        with self._lock:
            age = time.monotonic() - self._read_at
            if age > KEPT or (age > AGAIN and origin not in self._of):
                self._of, self._read_at = _read(), time.monotonic()
        return self._of.get(origin, frozenset())

    def forget(self) -> None:
        self._read_at = -KEPT


def _read() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    living = Client.objects.exclude(status__in=OUT)
    for client_id, redirects, others in living.values_list("client_id", "redirect_uris", "allowed_origins"):
        for uri in f"{redirects} {others}".split():
            found.setdefault(origin_of(uri), set()).add(client_id)
    return {origin: frozenset(clients) for origin, clients in found.items() if origin}


def origin_of(uri: str) -> str:
    """Scheme, host and port as a browser says them; empty for what no page can be at."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != usual else "")


ORIGINS = Origins()


def middleware(get_response: Handler) -> Handler:
    """Answers preflights, and says of each other answer, errors too, who may read it.

    A view that knows the client puts its client_id into `request.cors_client`: then only that client's
    pages may. Before that, and in a preflight, it is the pages of any client.
    """

    def handle(request: HttpRequest) -> HttpResponse:
        is_open = OPEN.match(request.path_info)
        if not is_open and not PER_CLIENT.match(request.path_info):
            return get_response(request)
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if asks else get_response(request)
        if not is_open:
            patch_vary_headers(response, ("Origin",))
        origin = request.headers.get("Origin", "")
        if not origin or not (is_open or _may_read(request, origin)):
            return response
        response.headers["Access-Control-Allow-Origin"] = "*" if is_open else origin
        if asks:
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = HEADERS
            response.headers["Access-Control-Max-Age"] = MAX_AGE
        else:
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    return handle


def _may_read(request: HttpRequest, origin: str) -> bool:
    clients = ORIGINS.clients_at(origin)
    known: str = getattr(request, "cors_client", "")
    return known in clients if known else bool(clients)
