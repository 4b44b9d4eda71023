"""Changes to clients. Each is one transaction with its audit row inside."""

from collections.abc import Collection
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from oauth2_provider.settings import oauth2_settings

from accounts.models import User
from smart import trail
from smart.models import Client
from smart.scopes import SPECIAL, Scope

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
) -> Client:
    """Register an app, ready for use. `scope` is the most it may ask for, empty for any patient scope.

    A confidential client needs a generated `client_secret` of at least 256 bits
    (`secrets.token_urlsafe(32)`); only its hash is kept. Raises InvalidClient.
    """
    _validate(redirect_uris, client_type, client_secret, scope)
    if privacy_policy_uri and not is_web_address(privacy_policy_uri):
        raise InvalidClient("A privacy policy is a page on the web, at an address of http or https.")
    client = Client(
        client_id=client_id,
        name=name,
        vendor=vendor,
        purpose=purpose,
        redirect_uris=" ".join(redirect_uris),
        client_type=client_type,
        authorization_grant_type=Client.GRANT_AUTHORIZATION_CODE,
        algorithm=Client.RS256_ALGORITHM,
        scope=scope,
        privacy_policy_uri=privacy_policy_uri,
        status=Client.Status.ACTIVE,
        **({"client_secret": client_secret} if client_secret else {}),
    )
    client.save()
    trail.registered(client, by)
    return client


def is_web_address(uri: str) -> bool:
    """Whether a person may be given this as a link: http or https, with a host, and nothing odd in it."""
    try:
        URLValidator(schemes=["http", "https"])(uri)
    except ValidationError:
        return False
    return True


def _validate(redirect_uris: Collection[str], client_type: str, client_secret: str, scope: str) -> None:
    schemes = set(oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)
    for uri in redirect_uris:
        parts = urlsplit(uri)
        if (
            parts.scheme not in schemes
            or not parts.hostname
            or "@" in parts.netloc
            or "#" in uri
            or " " in uri
        ):
            raise InvalidClient(f"{uri!r} cannot be a redirect URI here.")
    if not redirect_uris:
        raise InvalidClient("An app needs a redirect URI.")
    if client_type not in (Client.CLIENT_PUBLIC, Client.CLIENT_CONFIDENTIAL):
        raise InvalidClient("A client is public or confidential.")
    if client_type == Client.CLIENT_CONFIDENTIAL and len(client_secret) < LEAST_SECRET:
        raise InvalidClient(f"A client secret has {LEAST_SECRET} characters or more.")
    unknown = [text for text in scope.split() if text not in SPECIAL and not any(Scope.parse_all(text))]
    if unknown:
        raise InvalidClient(f"These are no SMART scopes: {', '.join(unknown)}")
