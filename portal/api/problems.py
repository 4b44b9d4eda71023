"""Refusals as problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from django.http import Http404
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.writes.door import Invalid

PROBLEM = "application/problem+json"


class ProblemRenderer(JSONRenderer):
    media_type = PROBLEM


def handler(error: Exception, given: dict[str, Any]) -> Response | None:
    """What REST framework asks for an answer to an error; None for what is a fault of ours."""
    answer = _answer(error)
    if answer is not None:
        set_rollback()
        given["request"].accepted_renderer = ProblemRenderer()
        given["request"].accepted_media_type = PROBLEM
    return answer


def _answer(error: Exception) -> Response | None:
    match error:
        case Invalid():
            errors = [{"code": w.code, "detail": w.text, "expression": w.expression} for w in error.wrong]
            return problem(error.status, error.diagnostics, headers=error.headers, errors=errors)
        case Refusal():
            return problem(error.status, error.diagnostics, headers=error.headers)
        case Http404():
            return problem(404, NOT_FOUND)
        case ValidationError():
            return problem(422, "Some values cannot be taken; see errors.", errors=error.get_full_details())
        case APIException():
            wait = getattr(error, "wait", None)
            return problem(
                error.status_code, str(error.detail), headers={"Retry-After": f"{wait}"} if wait else {}
            )
        case _:
            return None


def problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, errors: Any = None
) -> Response:
    """`instance` is the reference that support can look up; it stands in the log too."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{structlog.contextvars.get_contextvars()['correlation_id']}",
    }
    if errors is not None:
        body["errors"] = errors
    return Response(body, status=status, headers=headers or {})
