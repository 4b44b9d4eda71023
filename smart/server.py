"""The one oauthlib server of this process, and how its views speak with it."""

import base64
import re
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, JsonResponse
from django.http.multipartparser import MultiPartParserError
from oauth2_provider.oauth2_backends import OAuthLibCore
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import Request
from oauthlib.openid import Server as OpenIDServer

from smart import assertions, exchange

LARGEST = 64 * 1024  # bytes of a body
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, 5.1


class Server(OpenIDServer):
    """With token exchange, which oauthlib does not know."""

    def __init__(self, request_validator: Any, **options: Any) -> None:
        super().__init__(request_validator, **options)
        self._grant_types[exchange.GRANT_TYPE] = exchange.TokenExchange(request_validator)


@cache
def core() -> OAuthLibCore:
    """Settings are read once; it holds nothing of a request, so threads share it."""
    validator = oauth2_settings.OAUTH2_VALIDATOR_CLASS()
    return OAuthLibCore(Server(validator, **oauth2_settings.server_kwargs))


def oauth_request(request: HttpRequest) -> Request:
    """The request as oauthlib's validator methods want it."""
    return Request(*core()._extract_params(request))


def named_client(request: HttpRequest) -> str:
    """The client_id that a request to an endpoint gives as its sender's: unproved, empty if it says none."""
    said = request.POST.get("client_id", "")
    if not said and (assertion := request.POST.get("client_assertion", "")):
        said = assertions.subject_of(assertion)
    return said or _basic(request)[0]


def shown_secret(request: HttpRequest) -> str:
    """The secret that stands in the header, or else in the body; empty if there is none."""
    return _basic(request)[1] or request.POST.get("client_secret", "")


def _basic(request: HttpRequest) -> tuple[str, str]:
    """Name and secret of RFC 6749, 2.3.1; both empty where they are not there, or cannot be read."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def fault_of_body(request: HttpRequest) -> JsonResponse | None:
    """Why a body is not read at all, before anything of it is: what clients post is small."""
    said = request.META.get("CONTENT_LENGTH") or "0"
    if not said.isdigit() or int(said) > LARGEST:
        return error("invalid_request", "The body is too large.", 413)
    try:
        return None if is_readable(request) else error("invalid_request")
    except (TooManyFieldsSent, RequestDataTooBig, MultiPartParserError):
        return error("invalid_request", "The body cannot be read.")


def is_readable(request: HttpRequest) -> bool:
    """False where a parameter holds a NUL, which PostgreSQL cannot, or is not encoded as it must be."""
    if BAD_ESCAPE.search(request.META.get("QUERY_STRING", "")):
        return False
    parameters = [*request.GET.lists(), *request.POST.lists()]
    texts = [text for name, values in parameters for text in (name, *values)]
    return not any("\x00" in text or "\ufffd" in text for text in texts)


def error(code: str, description: str = "", status: int = 400, **headers: str) -> JsonResponse:
    """An OAuth error answer (RFC 6749, 5.2)."""
    body = {"error": code} | ({"error_description": description} if description else {})
    return JsonResponse(body, status=status, headers=NO_STORE | headers)
