"""Changes to clients. Each is one transaction with its audit row inside.

Three doors lead here: the developers' pages, the console, and RFC 7591 (`smart.registration`).
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User
from notices import commands as notices
from smart import events, metadata, states, tokens, trail
from smart.metadata import REVIEWED, InvalidClient, is_web_address
from smart.models import Client, ClientReview, InitialAccess
from smart.states import Act

__all__ = ["InvalidClient", "is_web_address"]

FURTHER = frozenset(
    {
        *("jwks", "jwks_uri", "require_pushed_authorization_requests", "dpop_bound_access_tokens"),
        *("is_internal", "is_resource_server", "notification_uri", "authorization_grant_type", "launch_uri"),
        *("post_logout_redirect_uris", "allowed_origins"),
    }
)
LEAST_SECRET = 43  # characters: 256 bits in base64url, since secrets are hashed fast
MOST_OF_ONE = 20  # apps of one developer, besides those that were removed
LONGEST_WORDS = 1000  # of a reviewer to a developer


class Held(InvalidClient):
    """A reviewer looked at it as it is, or is about to."""


class NotReady(InvalidClient):
    """Something is missing that a reviewer needs. `members` are RFC 7591's names of it."""

    def __init__(self, members: Collection[str]) -> None:
        super().__init__(f"Missing: {', '.join(members)}.", member=next(iter(members), ""))
        self.members = tuple(members)


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
    """Register an app as an administrator does, ready for use. `scope` is the most it may ask for, empty
    for any patient scope.

    A confidential client needs a generated `client_secret` of at least 256 bits
    (`secrets.token_urlsafe(32)`), of which only the hash is kept, or public keys. `more`: `jwks`
    or `jwks_uri`, `require_pushed_authorization_requests`, `dpop_bound_access_tokens`,
    `is_internal`, `is_resource_server`, `notification_uri`, `launch_uri`, `authorization_grant_type`
    (client-credentials makes a backend service), `post_logout_redirect_uris`,
    `allowed_origins` (of its pages, besides those of its redirect URIs). Raises InvalidClient.
    """
    if unknown := set(more) - FURTHER:
        raise TypeError(f"register_client knows no {', '.join(sorted(unknown))}")
    is_service = more.get("authorization_grant_type") == Client.GRANT_CLIENT_CREDENTIALS
    if client_type not in (Client.CLIENT_PUBLIC, Client.CLIENT_CONFIDENTIAL):
        raise InvalidClient("A client is public or confidential.")
    signs = bool(more.get("jwks") or more.get("jwks_uri"))
    if signs and (client_type == Client.CLIENT_PUBLIC or client_secret):
        raise InvalidClient("Keys are for a confidential client without a secret: jwks, or jwks_uri.")
    if client_type == Client.CLIENT_CONFIDENTIAL and not signs and len(client_secret) < LEAST_SECRET:
        raise InvalidClient(f"A client secret has {LEAST_SECRET} characters or more.")
    said = {
        "client_name": name,
        "vendor": vendor,
        "purpose": purpose,
        "redirect_uris": list(redirect_uris),
        "scope": scope,
        "policy_uri": privacy_policy_uri,
        "grant_types": ["client_credentials" if is_service else "authorization_code"],
        "token_endpoint_auth_method": _method(client_type, signs),
    }
    fields = metadata.read(said | {n: v for n, v in more.items() if n not in OURS})
    fields |= {name: more[name] for name in OURS if name in more}
    fields["token_endpoint_auth_method"] = ""
    client = Client(client_id=client_id, status=Client.Status.ACTIVE, **fields)
    if client_secret:
        client.client_secret = client_secret
    client.save()
    trail.registered(client, by)
    return client


OURS = frozenset({"is_internal", "is_resource_server", "authorization_grant_type"})


def _method(client_type: str, signs: bool) -> str:
    if client_type == Client.CLIENT_PUBLIC:
        return "none"
    return "private_key_jwt" if signs else "client_secret_basic"


@transaction.atomic
def register_app(said: Mapping[str, Any], *, by: User | None, credential: str = "") -> tuple[Client, str]:
    """Register an app on trial, for a developer or, without `by`, through RFC 7591 with `credential`.

    `said` is metadata by the names of RFC 7591, 2. Returns the client and its secret, which is
    nowhere else (empty where it has none). Raises InvalidClient.
    """
    fields = metadata.read(said)
    if by and apps_of(by).count() >= MOST_OF_ONE:
        raise InvalidClient(f"One person registers at most {MOST_OF_ONE} apps.")
    client = Client(
        user=by,
        status=Client.Status.SANDBOX,
        registration_source=Client.RegistrationSource.DCR if credential else Client.RegistrationSource.MANUAL,
        registration_credential=credential,
        **fields,
    )
    secret = _set_secret(client)
    client.save()
    trail.registered(client, by, credential)
    return client, secret


def apps_of(user: User) -> Any:
    """What a developer registered and did not remove, newest first."""
    return Client.objects.filter(user=user).exclude(status=Client.Status.REMOVED).order_by("-created", "-pk")


@transaction.atomic
def change_client(client: Client, said: Mapping[str, Any], *, by: User | None) -> tuple[Client, str]:
    """Put other metadata in the place of what a client said; what is left out is gone (RFC 7592, 2.2).

    Returns it with a new secret where it now needs one. What a reviewer looked at stays, as long as
    the client works with real records. Raises InvalidClient, and WrongState for one that was put out.
    """
    client = Client.objects.select_for_update().get(pk=client.pk)
    if not client.is_usable(None):
        raise states.WrongState
    fields = metadata.read(said)
    changed = [name for name, value in fields.items() if (getattr(client, name) or None) != (value or None)]
    held = [name for name in changed if name in REVIEWED] if client.status != S.SANDBOX else []
    if held:
        raise InvalidClient(
            "It is looked at as it is. Take it back to the sandbox to change this.", member=held[0]
        )
    had_secret = needs_secret(client)
    for name in changed:
        setattr(client, name, fields[name])
    secret = _set_secret(client) if needs_secret(client) and not had_secret else ""
    client.save()
    trail.changed(client, by, "metadata", fields=len(changed))
    return client, secret


@transaction.atomic
def new_secret(client: Client, *, by: User) -> str:
    """Another secret in the place of the one there was, which ends now. Returned once, kept as a hash."""
    client = Client.objects.select_for_update().get(pk=client.pk)
    if not needs_secret(client):
        raise InvalidClient("It proves itself in another way.", member="token_endpoint_auth_method")
    secret = _set_secret(client)
    client.save()
    trail.changed(client, by, "secret")
    return secret


@transaction.atomic
def new_management_token(client: Client) -> str:
    """The registration access token of a client that registered itself (RFC 7592, 3), kept as a hash."""
    value = secrets.token_urlsafe(32)
    client.registration_token = digest_of(value)
    client.save(update_fields=["registration_token", "updated"])
    return value


@transaction.atomic
def claim(client_id: str, token: str, *, by: User) -> Client:
    """Make a client that registered itself a developer's own, who shows its registration access token.

    Raises InvalidClient, in the same words whether there is none, it has an owner, or the token is wrong.
    """
    found = Client.objects.select_for_update().filter(client_id=client_id, user=None).first()
    known = found.registration_token if found else ""
    if not found or not known or not constant_time_compare(known, digest_of(token)):
        raise InvalidClient("There is no such client, or it is not yours to add.", member="token")
    if apps_of(by).count() >= MOST_OF_ONE:
        raise InvalidClient(f"One person registers at most {MOST_OF_ONE} apps.", member="client_id")
    found.user = by
    found.save(update_fields=["user", "updated"])
    trail.changed(found, by, "claim")
    return found


@transaction.atomic
def move(client: Client, act: Act, *, by: User | None, reason: str = "", words: str = "") -> Client:
    """Change where a client stands, by the table of `smart.states`; it holds from the next request on.

    A refusal takes a reason of ClientReview and words that the developer reads. Raises WrongState,
    NotReady where a review is asked for too early, InvalidClient for a refusal that says nothing.
    """
    client = Client.objects.select_for_update().get(pk=client.pk)
    before, client.status = client.status, states.next_of(client.status, act)
    review = client.reviews.filter(decided_at=None).first()
    if act == Act.ASK:
        _check_ready(client)
        if by is None:
            raise InvalidClient("A person asks for a review.")
        ClientReview.objects.create(client=client, asked_by=by)
    elif review and before == S.IN_REVIEW:
        _decide(review, act, by or review.asked_by, reason, words)
    if act == Act.REMOVE:
        _end(client)
    client.save()
    if before == S.ACTIVE:  # whatever comes next, real records are out of its reach
        events.tell(client, events.Kind.SUSPENDED)
    trail.moved(client, by, act, before, reason)
    _tell_owner(client, act, by)
    return client


def _tell_owner(client: Client, act: Act, by: User | None) -> None:
    """What others decided about an app, its developer hears; the mail names no app."""
    owner = client.user
    if owner is None or not owner.is_active or act not in states.OF_REVIEWER or by == owner:
        return
    notices.enqueue(
        "client_decided",
        recipient=f"User/{owner.pk}",
        email=owner.email,
        language=owner.language,
        context={"app": client.name},
    )


S = Client.Status
OUTCOMES = {Act.APPROVE: ClientReview.Outcome.APPROVED, Act.WITHDRAW: ClientReview.Outcome.WITHDRAWN}


def _decide(review: ClientReview, act: Act, by: User, reason: str, words: str) -> None:
    review.outcome = OUTCOMES.get(act, ClientReview.Outcome.REFUSED)
    if act == Act.REMOVE:
        review.outcome = ClientReview.Outcome.WITHDRAWN
    elif review.outcome == ClientReview.Outcome.REFUSED:
        review.reason = reason if act == Act.REFUSE else ClientReview.Reason.OTHER
        if review.reason not in ClientReview.Reason.values or (act == Act.REFUSE and not words.strip()):
            raise InvalidClient("A refusal says why, and what would help.", member="words")
    review.words = words.strip()[:LONGEST_WORDS]
    review.decided_at, review.decided_by = timezone.now(), by
    review.save()


def missing_for_review(client: Client) -> list[str]:
    """What a reviewer needs and is not there, by RFC 7591's names."""
    needed = {
        "vendor": client.vendor,
        "purpose": client.purpose,
        "policy_uri": client.privacy_policy_uri,
        "contacts": client.contacts,
    }
    return [name for name, value in needed.items() if not value]


def _check_ready(client: Client) -> None:
    if missing := missing_for_review(client):
        raise NotReady(missing)


def _end(client: Client) -> None:
    """RFC 7592, 2.3: all that it had opens nothing any more. The row stays, for what the log says of it."""
    client.jwks, client.jwks_uri, client.registration_token = None, "", ""
    _set_secret(client)
    tokens.revoke_of_client(client)


@transaction.atomic
def approve_service(client: Client, *, groups: Collection[str], by: User) -> Client:
    """Let a backend service ask for system tokens, for these Groups. Without groups it may not any more."""
    client.groups = sorted(set(groups))
    client.approved_at, client.approved_by = (timezone.now(), by) if groups else (None, None)
    client.save(update_fields=["groups", "approved_at", "approved_by", "updated"])
    trail.changed(client, by, "approve" if groups else "disapprove")
    return client


@transaction.atomic
def give_initial_access(*, by: User, note: str, days: int = 30) -> tuple[InitialAccess, str]:
    """A token with which software may register clients here (RFC 7591, 3). Returned once, kept as a hash."""
    value = secrets.token_urlsafe(32)
    expires_at = timezone.now() + timedelta(days=days)
    access = InitialAccess.objects.create(
        digest=digest_of(value), note=note[:200], made_by=by, expires_at=expires_at
    )
    trail.administered(by, f"InitialAccess/{access.pk}", "give")
    return access, value


@transaction.atomic
def end_initial_access(access: InitialAccess, *, by: User) -> None:
    """Nobody registers with it any more; what was registered with it stays."""
    access.expires_at = min(access.expires_at, timezone.now())
    access.save(update_fields=["expires_at"])
    trail.administered(by, f"InitialAccess/{access.pk}", "end")


def needs_secret(client: Client) -> bool:
    return client.client_type == Client.CLIENT_CONFIDENTIAL and not client.signs_assertions


def _set_secret(client: Client) -> str:
    """A generated one of 256 bits, of which the model keeps the hash. Who needs none gets one that
    nobody knows: an empty one would be a secret that everybody knows."""
    client.client_secret = secret = secrets.token_urlsafe(32)
    return secret if needs_secret(client) else ""


def digest_of(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
