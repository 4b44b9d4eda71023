"""Error pages: what happened, and what to do about it.

They work signed out. The 500 page asks nothing of the database, the session or the
cache: any of them may be what is broken.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

Handler = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Problem:
    title: str | Promise
    what: str | Promise
    cure: str | Promise


BAD_REQUEST = Problem(
    pgettext_lazy("problem.400.title", "We could not read that"),
    pgettext_lazy("problem.400.what", "Something in the address or the form was not as it must be."),
    pgettext_lazy("problem.400.cure", "Go back, check what you entered, and try again."),
)
FORBIDDEN = Problem(
    pgettext_lazy("problem.403.title", "You cannot open this page"),
    pgettext_lazy("problem.403.what", "Your account does not have access to it."),
    pgettext_lazy("problem.403.cure", "If you use more than one account, sign out and use the other one."),
)
NOT_FOUND = Problem(
    pgettext_lazy("problem.404.title", "We could not find that page"),
    pgettext_lazy("problem.404.what", "The address may be wrong, or the page is not there any more."),
    pgettext_lazy("problem.404.cure", "Check the address, or start again from Home."),
)
CSRF = Problem(
    pgettext_lazy("problem.csrf.title", "This page was open too long"),
    pgettext_lazy(
        "problem.csrf.what",
        "You signed in or out since you opened it, or your browser blocks our cookies. Nothing was sent.",
    ),
    pgettext_lazy("problem.csrf.cure", "Go back, load the page again, and send the form once more."),
)
NOT_ALLOWED = Problem(
    pgettext_lazy("problem.405.title", "This address is not a page"),
    pgettext_lazy("problem.405.what", "It only takes what a button on a page sends. Nothing was changed."),
    pgettext_lazy("problem.405.cure", "Go to the page with the button, and press it there."),
)
SERVER_ERROR = Problem(
    pgettext_lazy("problem.500.title", "We could not show this page"),
    pgettext_lazy("problem.500.what", "Something went wrong on our side. It is not your fault."),
    pgettext_lazy("problem.500.cure", "Try again in a few minutes. If you need help now, call your clinic."),
)
UNAVAILABLE = Problem(
    pgettext_lazy("problem.503.title", "We could not get your records"),
    pgettext_lazy("problem.503.what", "The system that keeps your records did not answer."),
    pgettext_lazy("problem.503.cure", "Try again in a few minutes. If you need help now, call your clinic."),
)


def problem(request: HttpRequest, what: Problem, status: int) -> HttpResponse:
    return render(request, "portal/problem.html", {"problem": what, "reference": reference()}, status=status)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return problem(request, CSRF, 403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, BAD_REQUEST, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, FORBIDDEN, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, NOT_FOUND, 404)


def method_not_allowed(get_response: Handler) -> Handler:
    """Middleware: Django has no handler for 405, and answers it with nothing. Programs get that still."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != 405 or response.content or not request.accepts("text/html"):
            return response
        page = problem(request, NOT_ALLOWED, 405)
        page.headers["Allow"] = response.headers["Allow"]
        return page

    return middleware


def server_error(request: HttpRequest) -> HttpResponse:
    context = {
        "problem": SERVER_ERROR,
        "reference": reference(),
        "clinic_name": settings.CLINIC_NAME,
        "clinic_phone": settings.CLINIC_PHONE,
        "emergency_number": settings.EMERGENCY_NUMBER,
    }
    return HttpResponse(render_to_string("portal/problem.html", context), status=500)


def reference() -> str:
    """The correlation id of the request, for the phone; it is in the logs, too."""
    return structlog.contextvars.get_contextvars().get("correlation_id", "")
