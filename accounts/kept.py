"""A form that came at a moment when we could not take it: kept under encryption, and sent again later.

It has passed the CSRF check when it is kept, in the session of who sent it, so it needs no second.
"""

import json
from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.urls import get_script_prefix, resolve

from accounts import secrets

LONGEST = 100_000  # characters; a longer form is not kept


def keep(request: HttpRequest) -> str:
    """The form of this request, encrypted; empty where there is none, or it is too long, or has files
    or a password."""
    if request.method != "POST" or request.FILES or any("password" in name for name in request.POST):
        return ""
    form = json.dumps({"path": request.get_full_path(), "form": request.POST.urlencode()})
    return secrets.encrypt(form) if len(form) <= LONGEST else ""


def path_of(kept: str) -> str:
    """The address that a kept form was sent to. Raises InvalidToken."""
    return str(json.loads(secrets.decrypt(kept))["path"])


def form_of(kept: str) -> str:
    """The kept form itself, URL-encoded. Raises InvalidToken."""
    return str(json.loads(secrets.decrypt(kept))["form"])


def send_again(request: HttpRequest, kept: str) -> HttpResponseBase:
    """Answer `request` with what the kept form's address answers to it. Raises InvalidToken."""
    told: dict[str, Any] = json.loads(secrets.decrypt(kept))
    path, _, query = told["path"].partition("?")
    request.method, request.path = "POST", path
    # Of another subject (`portal.acting`) it has another prefix, and is not found.
    request.path_info = "/" + path.removeprefix(get_script_prefix())
    request.GET, request.POST = QueryDict(query), QueryDict(told["form"])
    request.META["QUERY_STRING"] = query
    request.resolver_match = match = resolve(request.path_info)
    answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return answer
