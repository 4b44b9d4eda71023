"""Middleware of our own: a correlation id for every request, and no caching of people's pages."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

Handler = Callable[[HttpRequest], HttpResponse]
CLEAN_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


def correlation_id(get_response: Handler) -> Handler:
    """Give each request an id that goes through logs, audit rows and upstream calls
    (X-Request-Id, as IHE BALP names it), and back to the caller."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        correlation = given if CLEAN_ID.match(given) else str(uuid.uuid4())
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            response = get_response(request)
        response.headers["X-Request-Id"] = correlation
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
