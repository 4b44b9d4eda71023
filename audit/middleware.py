"""A request's context for its events, and the receipts of what it was given, on their way back."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit import context

MOST_RECEIPTS = 20  # in one answer, about 170 bytes each; of a larger batch the newest
Handler = Callable[[HttpRequest], HttpResponse]


def audit_context(get_response: Handler) -> Handler:
    """`X-Audit-Receipt: id.leaf.mac`, with commas between: what the caller holds cannot be denied later."""

    def middleware(request: HttpRequest) -> HttpResponse:
        here = context.of_request(request)
        token = context.current.set(here)
        try:
            response = get_response(request)
        finally:
            context.current.reset(token)
        if here.receipts:
            response.headers["X-Audit-Receipt"] = ", ".join(here.receipts[-MOST_RECEIPTS:])
        return response

    return middleware
