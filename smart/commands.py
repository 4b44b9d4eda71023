"""Changes to clients. Each is one transaction with its audit row inside."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils import timezone
from oauth2_provider.settings import oauth2_settings

from accounts.models import User
from smart import cors, events, jwts, trail
from smart.models import Client
from smart.scopes import SPECIAL, Scope

FURTHER = frozenset(
    {
        *("jwks", "jwks_uri", "require_pushed_authorization_requests", "dpop_bound_access_tokens"),
        *("is_internal", "is_resource_server", "notification_uri", "authorization_grant_type"),
        *("post_logout_redirect_uris", "allowed_origins"),
    }
)
LEAST_SECRET = 43  # characters: 256 bits in base64url, since secrets are hashed fast


class InvalidClient(ValueError):
    """A registration that cannot be; the message says why."""


@transaction.atomic
def register_client(
    *,
    client_id: str,
    name: str,
    vendor: str,
    purpose: str,
    redirect_uris: Collection[str],
    client_type: str,
    scope: str,
    privacy_policy_uri: str = "",
    client_secret: str = "",
    by: User | None = None,
    **more: Any,
) -> Client:
    """Register an app, ready for use. `scope` is the most it may ask for, empty for any patient scope.

    A confidential client needs a generated `client_secret` of at least 256 bits
    (`secrets.token_urlsafe(32)`), of which only the hash is kept, or public keys. `more`: `jwks`
    or `jwks_uri`, `require_pushed_authorization_requests`, `dpop_bound_access_tokens`,
    `is_internal`, `is_resource_server`, `notification_uri`, `authorization_grant_type`
    (client-credentials makes a backend service), `post_logout_redirect_uris`,
    `allowed_origins` (of its pages, besides those of its redirect URIs). Raises InvalidClient.
    """
    if unknown := set(more) - FURTHER:
        raise TypeError(f"register_client knows no {', '.join(sorted(unknown))}")
    grant_type = more.pop("authorization_grant_type", Client.GRANT_AUTHORIZATION_CODE)
    is_service = grant_type == Client.GRANT_CLIENT_CREDENTIALS
    needs_secret = client_type == Client.CLIENT_CONFIDENTIAL and not (
        more.get("jwks") or more.get("jwks_uri")
    )
    _validate(redirect_uris, client_type, client_secret, scope, is_service, needs_secret)
    _validate_keys(client_type, client_secret, more, is_service)
    if address := more.get("notification_uri"):
        _validate_called(address)
    _validate_addresses(after := more.pop("post_logout_redirect_uris", ()))
    origins = more.pop("allowed_origins", ())
    if not all(cors.origin_of(origin) == origin for origin in origins):
        raise InvalidClient("An origin is a scheme, a host in small letters and perhaps a port, and no more.")
    if privacy_policy_uri and not is_web_address(privacy_policy_uri):
        raise InvalidClient("A privacy policy is a page on the web, at an address of http or https.")
    client = Client(
        client_id=client_id,
        name=name,
        vendor=vendor,
        purpose=purpose,
        redirect_uris=" ".join(redirect_uris),
        client_type=client_type,
        authorization_grant_type=grant_type,
        algorithm=Client.RS256_ALGORITHM,
        scope=scope,
        privacy_policy_uri=privacy_policy_uri,
        status=Client.Status.ACTIVE,
        post_logout_redirect_uris=" ".join(after),
        allowed_origins=" ".join(origins),
        **({"client_secret": client_secret} if client_secret else {}),
        **more,
    )
    client.save()
    trail.registered(client, by)
    return client


@transaction.atomic
def approve_service(client: Client, *, groups: Collection[str], by: User) -> Client:
    """Let a backend service ask for system tokens, for these Groups. Without groups it may not any more."""
    client.groups = sorted(set(groups))
    client.approved_at, client.approved_by = (timezone.now(), by) if groups else (None, None)
    client.save(update_fields=["groups", "approved_at", "approved_by", "updated"])
    trail.changed(client, by, "approve" if groups else "disapprove")
    return client


@transaction.atomic
def set_status(client: Client, status: Client.Status, *, by: User) -> Client:
    """Suspend, block or let in again; it holds from the next request on."""
    client.status = Client.Status(status)
    client.save(update_fields=["status", "updated"])
    if not client.is_usable(None):
        events.tell(client, events.Kind.SUSPENDED)
    trail.changed(client, by, "status")
    return client


def is_web_address(uri: str) -> bool:
    """Whether a person may be given this as a link: http or https, with a host, and nothing odd in it."""
    try:
        URLValidator(schemes=["http", "https"])(uri)
    except ValidationError:
        return False
    return True


def _validate_called(address: str) -> None:
    if not address.startswith("https://") or not is_web_address(address):
        raise InvalidClient("We fetch from, and send to, addresses of https only.")


def _validate_keys(client_type: str, client_secret: str, more: dict[str, Any], is_service: bool) -> None:
    keys, uri = more.get("jwks"), more.get("jwks_uri", "")
    if not keys and not uri:
        if is_service:
            raise InvalidClient("A backend service registers its keys.")
        return
    if client_type != Client.CLIENT_CONFIDENTIAL or client_secret or (keys and uri):
        raise InvalidClient("Keys are for a confidential client without a secret: jwks, or jwks_uri.")
    if uri:
        _validate_called(uri)
    for key in keys.get("keys", []) if keys else []:
        try:
            jwts.public_key(key, "ES384" if key.get("kty") == "EC" else "RS384")
        except jwts.BadToken as error:
            raise InvalidClient(f"A key that signs RS384 or ES384: {error}.") from error
    if keys and not keys.get("keys"):
        raise InvalidClient("A JWK Set holds keys.")


def _validate(
    redirect_uris: Collection[str],
    client_type: str,
    client_secret: str,
    scope: str,
    is_service: bool,
    needs_secret: bool,
) -> None:
    _validate_addresses(redirect_uris)
    if not redirect_uris and not is_service:
        raise InvalidClient("An app needs a redirect URI.")
    if client_type not in (Client.CLIENT_PUBLIC, Client.CLIENT_CONFIDENTIAL):
        raise InvalidClient("A client is public or confidential.")
    if needs_secret and len(client_secret) < LEAST_SECRET:
        raise InvalidClient(f"A client secret has {LEAST_SECRET} characters or more.")
    unknown = [text for text in scope.split() if text not in SPECIAL and not any(Scope.parse_all(text))]
    if unknown:
        raise InvalidClient(f"These are no SMART scopes: {', '.join(unknown)}")


def _validate_addresses(uris: Collection[str]) -> None:
    """Where a browser may be sent, and what with it."""
    schemes = set(oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)
    for uri in uris:
        parts = urlsplit(uri)
        if (
            parts.scheme not in schemes
            or not parts.hostname
            or "@" in parts.netloc
            or "#" in uri
            or " " in uri
        ):
            raise InvalidClient(f"{uri!r} cannot be a redirect URI here.")
