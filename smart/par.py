"""Pushed authorization requests (RFC 9126): the app hands its request over first, and unseen."""

import hashlib
import secrets
from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.utils import timezone

from smart.models import Client, PushedRequest

URN = "urn:ietf:params:oauth:request_uri:"
LIFETIME = 90  # seconds
# Of the client's proof of itself; none of it belongs to the authorization request.
CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


class NotPushed(Exception):
    """The request_uri is unknown, used, over, of another client; or one was needed, and is not there."""


def keep(client: Client, parameters: dict[str, str], jkt: str) -> tuple[str, int]:
    """Keep a request that was checked. Returns its request_uri and for how many seconds it holds."""
    uri = URN + secrets.token_urlsafe(32)
    PushedRequest.objects.create(
        digest=_digest(uri),
        client=client,
        parameters={name: value for name, value in parameters.items() if name not in CREDENTIALS},
        jkt=jkt,
        expires_at=timezone.now() + timedelta(seconds=LIFETIME),
    )
    return uri, LIFETIME


def unfold(request: HttpRequest) -> str:
    """Put a pushed request in the place of one that names it, whatever else came along (RFC 9126, 4).

    Returns the thumbprint that the code will be bound to. Raises NotPushed.
    """
    asked = request.POST if request.method == "POST" else request.GET
    uri, client_id = asked.get("request_uri", ""), asked.get("client_id", "")
    if not uri:
        if Client.objects.filter(client_id=client_id, require_pushed_authorization_requests=True).exists():
            raise NotPushed
        return asked.get("dpop_jkt", "")
    if not uri.startswith(URN):
        return ""  # somebody else's address: refused as what it is
    pushed = PushedRequest.objects.select_related("client").filter(digest=_digest(uri)).first()
    if pushed is None or pushed.client.client_id != client_id or pushed.expires_at <= timezone.now():
        raise NotPushed
    if not PushedRequest.objects.filter(digest=pushed.digest).delete()[0]:
        raise NotPushed  # two came at once
    put(request, pushed.parameters)
    return pushed.jkt


def put(request: HttpRequest, parameters: dict[str, str]) -> None:
    """Make `parameters` all that a request says, as if it had come by GET."""
    request.method = request.META["REQUEST_METHOD"] = "GET"
    request.META["QUERY_STRING"] = query = urlencode(parameters)
    request.GET = QueryDict(query)
    request.POST = QueryDict("")


def _digest(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()
