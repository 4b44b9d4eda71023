"""What a client says of itself (RFC 7591, 2), read with care: all of it is a stranger's text.

One reading for every way to register: the developers' pages, the console, and the endpoint of RFC 7591.
Members that we do not know are passed over (RFC 7591, 2), `logo_uri` too: a page shows an app's
name, never a picture that somebody else serves or drew.
"""

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from oauth2_provider.settings import oauth2_settings

from smart import cors, identity, jwts
from smart.models import Client
from smart.scopes import SPECIAL, Scope

METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
SECRET_METHODS = ("client_secret_basic", "client_secret_post")
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
MOST_URIS, LONGEST_URI = 20, 200  # as many, and as many characters
MOST_KEYS = 20
LONGEST_NAME, LONGEST_PURPOSE, LONGEST_SCOPE = 80, 200, 4000
# What a reviewer looks at: it stays as it was looked at, as long as the client works with real records.
REVIEWED = (
    *("name", "vendor", "purpose", "privacy_policy_uri", "client_uri", "redirect_uris", "launch_uri"),
    *("scope", "client_type", "authorization_grant_type"),
)


class InvalidClient(ValueError):
    """A registration that cannot be. `code` is RFC 7591's (3.2.2), `member` what is wrong."""

    def __init__(self, why: str, *, member: str = "", code: str = "invalid_client_metadata") -> None:
        super().__init__(why)
        self.member, self.code = member, code


def read(said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Client that metadata stand for. Raises InvalidClient."""
    method = _one_of(said, "token_endpoint_auth_method", METHODS, "client_secret_basic")
    is_service = _is_service(said, method)
    keys = _keys(said, method)
    fields = {
        "name": _words(said, "client_name", LONGEST_NAME, needed=True),
        "vendor": _words(said, "vendor", LONGEST_NAME),
        "purpose": _words(said, "purpose", LONGEST_PURPOSE),
        "contacts": _contacts(said),
        "client_uri": _page(said, "client_uri"),
        "privacy_policy_uri": _page(said, "policy_uri"),
        "launch_uri": _launch_uri(said),
        "notification_uri": _ours_to_call(said, "notification_uri"),
        "redirect_uris": " ".join(_redirect_uris(said, "redirect_uris", needed=not is_service)),
        "post_logout_redirect_uris": " ".join(_redirect_uris(said, "post_logout_redirect_uris")),
        "allowed_origins": " ".join(_origins(said)),
        "scope": _scope(said),
        "client_type": Client.CLIENT_PUBLIC if method == "none" else Client.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Client.GRANT_CLIENT_CREDENTIALS
        if is_service
        else Client.GRANT_AUTHORIZATION_CODE,
        "token_endpoint_auth_method": method,
        "algorithm": _one_of(said, "id_token_signed_response_alg", identity.ALGORITHMS, "RS256"),
        "dpop_bound_access_tokens": _flag(said, "dpop_bound_access_tokens"),
        "require_pushed_authorization_requests": _flag(said, "require_pushed_authorization_requests"),
        **keys,
    }
    _page(said, "logo_uri"), _page(said, "tos_uri")  # not kept, but a wrong one is told
    return fields


def said_by(client: Client) -> dict[str, Any]:
    """The same the other way: what RFC 7591, 3.2.1 answers, without what is secret."""
    is_service = client.authorization_grant_type == Client.GRANT_CLIENT_CREDENTIALS
    words = {
        "client_name": client.name,
        "vendor": client.vendor,
        "purpose": client.purpose,
        "contacts": client.contacts,
        "client_uri": client.client_uri,
        "policy_uri": client.privacy_policy_uri,
        "launch_uri": client.launch_uri,
        "notification_uri": client.notification_uri,
        "redirect_uris": client.redirect_uris.split(),
        "post_logout_redirect_uris": client.post_logout_redirect_uris.split(),
        "allowed_origins": client.allowed_origins.split(),
        "scope": client.scope,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
    }
    return {name: value for name, value in words.items() if value} | {
        "token_endpoint_auth_method": method_of(client),
        "grant_types": ["client_credentials"] if is_service else ["authorization_code", "refresh_token"],
        "response_types": [] if is_service else ["code"],
        "id_token_signed_response_alg": client.algorithm or identity.ALGORITHMS[0],
        "dpop_bound_access_tokens": client.dpop_bound_access_tokens,
        "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
    }


def method_of(client: Client) -> str:
    """How a client proves itself at the token endpoint."""
    if client.signs_assertions:
        return "private_key_jwt"
    if client.client_type == Client.CLIENT_PUBLIC:
        return "none"
    return client.token_endpoint_auth_method or "client_secret_basic"


def is_web_address(uri: str) -> bool:
    """Whether a person may be given this as a link: http or https, with a host, and nothing odd in it."""
    try:
        URLValidator(schemes=["http", "https"])(uri)
    except ValidationError:
        return False
    return True


def check_redirect_uri(uri: str) -> None:
    """Raises InvalidClient for what no answer may be sent to. They are compared character by character."""
    try:
        parts = urlsplit(uri)
        fits = (
            parts.scheme in oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not {"#", "*", "\\"} & set(uri)
            and uri.isascii()
            and all(char.isprintable() and char != " " for char in uri)
        )
    except ValueError:
        fits = False
    if not fits:
        raise InvalidClient(f"{uri!r} cannot be a redirect URI here.", code="invalid_redirect_uri")


def check_keys(jwks: object) -> None:
    """Raises InvalidClient unless it is a JWK Set (RFC 7517) of public keys that sign RS384 or ES384."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys or len(keys) > MOST_KEYS:
        raise InvalidClient("A JWK Set holds keys.", member="jwks")
    if not jwts.is_storable(keys):
        raise InvalidClient("The keys hold a text that cannot be kept.", member="jwks")
    for key in keys:
        kind = key.get("kty") if isinstance(key, dict) else None
        try:
            jwts.public_key(key, "ES384" if kind == "EC" else "RS384")
        except jwts.BadToken as error:
            raise InvalidClient(f"A key that signs RS384 or ES384: {error}.", member="jwks") from error


def check_scope(scope: str) -> None:
    unknown = [text for text in scope.split() if text not in SPECIAL and not any(Scope.parse_all(text))]
    if unknown:
        raise InvalidClient(f"These are no SMART scopes: {', '.join(unknown)}", member="scope")


def _text(said: Mapping[str, Any], member: str, longest: int = LONGEST_URI) -> str:
    value = said.get(member)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise InvalidClient(f"{member} is a text of at most {longest} characters.", member=member)
    return value


def _words(said: Mapping[str, Any], member: str, longest: int, *, needed: bool = False) -> str:
    """One line of plain text. What has no shape of its own is refused, not dropped: it was meant to trick."""
    text = " ".join(unicodedata.normalize("NFC", _text(said, member, longest)).split())
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") for char in text) or "<" in text:
        raise InvalidClient(f"{member} is plain text on one line.", member=member)
    if needed and not any(char.isalnum() for char in text):
        raise InvalidClient(f"{member} is missing.", member=member)
    return text


def _page(said: Mapping[str, Any], member: str) -> str:
    uri = _text(said, member)
    if uri and not is_web_address(uri):
        raise InvalidClient(f"{member} is a page on the web.", member=member)
    return uri


def _launch_uri(said: Mapping[str, Any]) -> str:
    if uri := _text(said, "launch_uri"):
        try:
            check_redirect_uri(uri)
        except InvalidClient as error:
            raise InvalidClient("launch_uri is a page of the app.", member="launch_uri") from error
    return uri


def _ours_to_call(said: Mapping[str, Any], member: str) -> str:
    uri = _text(said, member)
    if uri and not (uri.startswith("https://") and is_web_address(uri)):
        raise InvalidClient("We fetch from, and send to, addresses of https only.", member=member)
    return uri


def _flag(said: Mapping[str, Any], member: str) -> bool:
    value = said.get(member, False)
    if not isinstance(value, bool):
        raise InvalidClient(f"{member} is true or false.", member=member)
    return value


def _one_of(said: Mapping[str, Any], member: str, known: Collection[str], else_: str) -> str:
    value = said.get(member) or else_
    if value not in known:
        raise InvalidClient(f"{member} is one of {', '.join(known)}.", member=member)
    return str(value)


def _list(said: Mapping[str, Any], member: str, code: str = "invalid_client_metadata") -> list[str]:
    value = said.get(member)
    value = [] if value is None else value
    if (
        not isinstance(value, list)
        or len(value) > MOST_URIS
        or not all(isinstance(each, str) and 0 < len(each) <= LONGEST_URI for each in value)
    ):
        raise InvalidClient(f"{member} is a list of at most {MOST_URIS} texts.", member=member, code=code)
    return list(dict.fromkeys(value))


def _redirect_uris(said: Mapping[str, Any], member: str, *, needed: bool = False) -> list[str]:
    uris = _list(said, member, "invalid_redirect_uri")
    for uri in uris:
        try:
            check_redirect_uri(uri)
        except InvalidClient as error:
            error.member = member
            raise
    if needed and not uris:
        raise InvalidClient("An app needs a redirect URI.", member=member, code="invalid_redirect_uri")
    return uris


def _origins(said: Mapping[str, Any]) -> list[str]:
    """Of its pages, besides those of its redirect URIs: what browsers send as Origin (RFC 6454)."""
    origins = _list(said, "allowed_origins")
    if not all(cors.origin_of(origin) == origin for origin in origins):
        why = "An origin is a scheme, a host in small letters and perhaps a port, and no more."
        raise InvalidClient(why, member="allowed_origins")
    return origins


def _contacts(said: Mapping[str, Any]) -> list[str]:
    contacts = _list(said, "contacts")
    for contact in contacts:
        try:
            validate_email(contact)
        except ValidationError as error:
            raise InvalidClient("contacts are e-mail addresses.", member="contacts") from error
    return contacts


def _scope(said: Mapping[str, Any]) -> str:
    scope = " ".join(_text(said, "scope", LONGEST_SCOPE).split())
    check_scope(scope)
    return scope


def _is_service(said: Mapping[str, Any], method: str) -> bool:
    """Whether it acts for itself. Grants and response types must fit each other (RFC 7591, 2.1)."""
    grants = _list(said, "grant_types") or ["authorization_code"]
    if unknown := set(grants) - set(GRANT_TYPES):
        raise InvalidClient(f"We offer no {', '.join(sorted(unknown))}.", member="grant_types")
    is_service = "client_credentials" in grants
    if is_service and (len(grants) > 1 or method != "private_key_jwt"):
        why = "A backend service has client_credentials alone, and private_key_jwt."
        raise InvalidClient(why, member="grant_types")
    if not is_service and "authorization_code" not in grants:
        raise InvalidClient("refresh_token comes after authorization_code.", member="grant_types")
    responses = _list(said, "response_types") or ([] if is_service else ["code"])
    if responses != ([] if is_service else ["code"]):
        raise InvalidClient("response_types do not fit grant_types: code.", member="response_types")
    return is_service


def _keys(said: Mapping[str, Any], method: str) -> dict[str, Any]:
    jwks, uri = said.get("jwks") or None, _ours_to_call(said, "jwks_uri")
    if (method == "private_key_jwt") != bool(jwks or uri) or (jwks and uri):
        raise InvalidClient("private_key_jwt goes with jwks, or with jwks_uri.", member="jwks")
    if jwks:
        check_keys(jwks)
    return {"jwks": jwks, "jwks_uri": uri}
