"""Tokens by their value, and the end of all that an authorization gave.

Values are not kept: a row is found by SHA-256 of the token, in hexadecimal, in
`token_checksum` (`token` is blank).
"""

import hashlib
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Patient, User
from smart import authorizations, events
from smart.models import AccessToken, Client, Grant, RefreshToken

# The one that is honoured, with what is asked of its person and patient. As text: Django needs longer to
# write it anew for each request than PostgreSQL to answer it.
TO_USE = """
SELECT r.*, u.is_active AS person_is_active, p.user_id AS patient_user_id
  FROM smart_refreshtoken r
  LEFT JOIN accounts_user u ON u.id = r.user_id
  LEFT JOIN accounts_patient p ON p.id = r.patient_id
 WHERE r.token_checksum = %s
 ORDER BY r.revoked DESC NULLS FIRST
 LIMIT 1
   FOR UPDATE OF r SKIP LOCKED
"""


def checksum(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_of(client: Client, token: str) -> AccessToken | RefreshToken | None:
    """Either token with this value, if it is this client's: somebody else's is looked for no longer than one
    that never was (A22)."""
    value = checksum(token)
    for model in (AccessToken, RefreshToken):
        rows = model.objects.select_related("application", "user", "patient")
        if found := rows.filter(token_checksum=value, application=client).order_by("-pk").first():
            return found
    return None


def find(token: str) -> AccessToken | None:
    """The access token with this value, with client, person and patient, in one SQL statement.

    Whether it has run out, and whether what stands behind it is in force, is for the caller.
    """
    return (
        AccessToken.objects.select_related("application", "user", "patient")
        .filter(token_checksum=checksum(token))
        .first()
    )


def find_refresh(token: str) -> RefreshToken | None:
    """The refresh token with this value, revoked or not."""
    rows = RefreshToken.objects.select_related("application", "user", "patient")
    return rows.filter(token_checksum=checksum(token)).order_by(F("revoked").desc(nulls_first=True)).first()


def lock_refresh(token: str, client: Client) -> RefreshToken | None:
    """The same, locked for the transaction; None where somebody else has it locked. `client` is who asks.

    Person and patient are there as far as a refresh needs them; more of them is read when it is asked for.
    """
    found = next(iter(RefreshToken.objects.raw(TO_USE, [checksum(token)])), None)
    if found is None:
        return None
    if found.application_id == client.pk:
        found.application = client
    told, db = vars(found), found._state.db
    if found.user_id:
        found.user = User.from_db(db, ("id", "is_active"), (found.user_id, told["person_is_active"]))
    if found.patient_id:
        found.patient = Patient.from_db(db, ("id", "user_id"), (found.patient_id, told["patient_user_id"]))
    return found


def is_active(token: AccessToken | RefreshToken) -> bool:
    """Whether it can be used now: living, its client and person too, and the authorization in force."""
    now = timezone.now()
    if isinstance(token, AccessToken):
        living = token.expires > now
    else:
        living = token.revoked is None and token.expires_at is not None and token.expires_at > now
    return (
        living
        and token.application.is_usable(None)
        and (token.user is None or token.user.is_active)
        and _stands(token)
    )


def _stands(token: AccessToken | RefreshToken) -> bool:
    """Whether what it rests on holds: an authorization, or for a system's own token its approval."""
    if token.authorization_id is None and token.user_id is None and token.patient_id is None:
        return token.application.is_approved_service
    return authorizations.is_in_force(token.authorization_id)


def is_living(token_id: int) -> bool:
    """Whether an access token has not run out; what stands behind it is not looked at."""
    return AccessToken.objects.filter(pk=token_id, expires__gt=timezone.now()).exists()


def is_any_living(authorization_id: UUID | None) -> bool:
    """Whether an authorization still has a token that was not ended and has not run out."""
    now, mine = timezone.now(), {"authorization_id": authorization_id}
    return (
        RefreshToken.objects.filter(**mine, revoked=None, expires_at__gt=now).exists()
        or AccessToken.objects.filter(**mine, expires__gt=now).exists()
    )


@transaction.atomic
def revoke_all(authorization_id: UUID) -> int:
    """End every code and token of an authorization, now, and tell its clients. Returns how many tokens
    that were.

    The caller writes the audit row: it knows why. Rows lock in the order in which a refresh
    takes them (refresh token, then access token), so the two cannot deadlock.
    """
    now = timezone.now()
    events.tell_ended(authorization_id)
    Grant.objects.filter(authorization_id=authorization_id, expires__gt=now).update(expires=now)
    refresh = RefreshToken.objects.filter(authorization_id=authorization_id, revoked=None)
    list(refresh.select_for_update().values_list("pk"))  # a refresh under way ends first, and is seen below
    ended = refresh.update(revoked=now, updated=now)
    # Their rows stay: the next call with one is then a refusal in its patient's log, not a stranger's.
    access = AccessToken.objects.filter(authorization_id=authorization_id, expires__gt=now)
    return ended + access.update(expires=now)


def revoke_of_client(client: Client) -> None:
    """End every code and token of a client, now. The caller writes the audit row."""
    now = timezone.now()
    Grant.objects.filter(application=client, expires__gt=now).update(expires=now)
    RefreshToken.objects.filter(application=client, revoked=None).update(revoked=now, updated=now)
    AccessToken.objects.filter(application=client, expires__gt=now).update(expires=now)
