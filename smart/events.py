"""What a client is told when what it was let into ends or changes: Security Event Tokens.

Written into an outbox in the transaction of what they tell (RFC 8417), signed and pushed by a
worker (RFC 8935). They name a grant by its id and a kind of event; no person, no patient and no
fact of health.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

import structlog
from django.db.models import Q
from django.utils import timezone
from jwcrypto import jwt
from oauth2_provider.settings import oauth2_settings

from notices import outbox
from smart import identity, keys
from smart.models import AccessToken, Client, Grant, RefreshToken, SecurityEvent

MOST_ATTEMPTS = 12  # over almost three days
TAKEN = (200, 202, 204)  # RFC 8935 says 202
OURS = "https://chartkey.example/events/"  # an identifier, not an address
log = structlog.get_logger("chartkey.events")


class Kind(StrEnum):
    """Values are kept in rows: never rename one."""

    ENDED = "ended"  # every token of the grant
    PAUSED = "paused"  # they work again after RESUMED, if they live so long
    RESUMED = "resumed"
    CHANGED = "changed"  # another choice of the person: it may be less
    SUSPENDED = "suspended"  # the client itself


# Event types (RFC 8417, 2.2, `events`); the first is of OAuth Event Types 1.0.
URIS: Mapping[str, str] = MappingProxyType(
    {
        Kind.ENDED: "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked",
        Kind.PAUSED: f"{OURS}grant-paused",
        Kind.RESUMED: f"{OURS}grant-resumed",
        Kind.CHANGED: f"{OURS}grant-changed",
        Kind.SUSPENDED: f"{OURS}client-suspended",
    }
)


def tell(client: Client | None, kind: Kind, authorization_id: UUID | None = None) -> None:
    """Put an event into the outbox, in the caller's transaction, for a client that wants to hear."""
    if client is not None and client.notification_uri:
        SecurityEvent.objects.create(client=client, kind=kind, authorization_id=authorization_id)


def tell_ended(authorization_id: UUID) -> None:
    """Tell whoever was given something for an authorization that all of it has ended."""
    mine = [
        Q(pk__in=given.objects.filter(authorization_id=authorization_id).values("application"))
        for given in (Grant, AccessToken, RefreshToken)
    ]
    for client in Client.objects.exclude(notification_uri="").filter(mine[0] | mine[1] | mine[2]):
        tell(client, Kind.ENDED, authorization_id)


def send_due(*, limit: int = 200, fetcher: keys.Fetcher | None = None) -> int:
    """Send what is due, and say how many were taken. A client that fails is left alone for this run,
    so that one that hangs costs the others one deadline."""
    failing: set[int] = set()
    sent_count = 0
    for _ in range(limit):
        rows = SecurityEvent.objects.select_related("client").exclude(client__in=failing)
        event = outbox.take(rows, most=MOST_ATTEMPTS)
        if event is None:
            break
        if send(event, fetcher):
            sent_count += 1
        else:
            failing.add(event.client_id)
    return sent_count


def send(event: SecurityEvent, fetcher: keys.Fetcher | None = None) -> bool:
    """Push one event now (RFC 8935, 2). Whatever fails is logged, and tried again when it is due."""
    headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
    try:
        body = signed(event).encode()
        status, _, _ = (fetcher or keys.FETCHER).send("POST", event.client.notification_uri, body, headers)
        reason = "" if status in TAKEN else "the answer is no 202"
    except keys.Unfetched as error:
        reason = str(error)
    if reason:
        log.warning("event_not_taken", client_id=event.client.client_id, reason=reason, count=event.attempts)
        return False
    SecurityEvent.objects.filter(pk=event.pk).update(sent_at=timezone.now())
    return True


def signed(event: SecurityEvent) -> str:
    """The event as a Security Event Token, by the key that signs this client's id_tokens now.

    Its `jti` and `iat` are the event's own: sent twice, it is the same event.
    """
    key = event.client.jwk_key
    algorithm = identity.algorithm_of(event.client.algorithm)
    header = {"typ": "secevent+jwt", "alg": algorithm, "kid": key.thumbprint()}
    subject = event.authorization_id or event.client.client_id
    at = identity.seconds(event.created_at)
    claims = {
        "iss": str(oauth2_settings.OIDC_ISS_ENDPOINT),
        "aud": event.client.client_id,
        "iat": at,
        "toe": at,
        "jti": str(event.pk),
        "sub_id": {"format": "opaque", "id": str(subject)},  # RFC 9493
        "events": {URIS[event.kind]: {}},
    }
    token = jwt.JWT(header=json.dumps(header), claims=json.dumps(claims))
    token.make_signed_token(key)
    return str(token.serialize())
