"""Middleware of our own: a correlation id for every request, and no caching of people's pages."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponse]
OF_CLIENTS = frozenset({"/o/token/", "/o/par/", "/o/revoke_token/", "/o/introspect/", "/o/userinfo/"})
A_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def correlation_id(get_response: Handler) -> Handler:
    """Give each request an id of our own that goes through logs, audit rows and upstream calls, and back
    to the caller in X-Request-Id. A caller's own id is a text of theirs: it enters no log, and goes back
    in X-Correlation-Id (FHIR R4, 3.1.0.15) where it is a UUID."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        correlation = str(uuid.uuid4())
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            response = get_response(request)
        response.headers["X-Request-Id"] = correlation
        if A_UUID.fullmatch(given):
            response.headers["X-Correlation-Id"] = given
        return response

    return middleware


def straight_to_machines(get_response: Handler) -> Handler:
    """A FHIR request with an access token, and what a client posts, go to their views from here.

    They have no session, no form and no language; what is passed by costs more than the decision does.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
        is_fhir = request.path_info.startswith("/fhir/") and scheme in ("bearer", "dpop")
        if not is_fhir and request.path_info not in OF_CLIENTS:
            return get_response(request)
        request.resolver_match = match = resolve(request.path_info)
        response = match.func(request, *match.args, **match.kwargs)
        response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    return middleware


def language_of_person(get_response: Handler) -> Handler:
    """A person's own language, on a device where nobody has chosen one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.LANGUAGE_COOKIE_NAME in request.COOKIES or not request.user.is_authenticated:
            return get_response(request)
        request.LANGUAGE_CODE = request.user.language
        with translation.override(request.user.language):
            return get_response(request)

    return middleware


def no_store(get_response: Handler) -> Handler:
    """Keep people's pages out of every cache, and keep htmx's part apart from the whole page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if hasattr(request, "htmx"):
            response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "HX-Request"]))
        return response

    return middleware
