"""Launches from inside the portal (SMART App Launch 2.2, EHR launch), and sign-ins behind tokens."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import sessions
from accounts.models import Patient, RelatedPerson, User
from smart import events, tokens, trail
from smart.models import AccessToken, Client, Grant, Launch, RefreshToken, SignIn, StaffAuthorization

OPEN_FOR = timedelta(minutes=5)  # between our page and the app's authorization request
STAFF_FOR = timedelta(hours=12)  # a clinician's yes ends with the working day
ONLINE, OFFLINE = "online_access", "offline_access"


class NotLaunchable(Exception):
    """The app did not register an address where it could be opened, or may not be used now."""


def is_launchable(client: Client) -> bool:
    return bool(client.launch_uri) and client.is_usable(None)


def launchable() -> list[Client]:
    """The apps that can be opened from our pages, by name."""
    return [c for c in Client.objects.exclude(launch_uri="").order_by("name", "pk") if is_launchable(c)]


def begin(
    client: Client,
    *,
    user: User,
    patient: Patient,
    helper: RelatedPerson | None = None,
    context: dict[str, Any] | None = None,
) -> str:
    """Open an app for a patient, as themself, as who treats them or as their `helper`.

    Returns the address at the app, with `iss` and `launch`. `context` is what the token response says
    besides `patient`: `encounter` (an id), `fhirContext` (a list of objects with `reference` and `type`),
    `intent`. Raises NotLaunchable.
    """
    if not is_launchable(client):
        raise NotLaunchable
    value = secrets.token_urlsafe(32)
    Launch.objects.create(
        digest=_digest(value),
        client=client,
        user=user,
        patient=patient,
        helper=helper,
        context=context or {},
    )
    told = urlencode({"iss": settings.FHIR_BASE_URL, "launch": value})
    joint = "&" if urlsplit(client.launch_uri).query else "?"
    return f"{client.launch_uri}{joint}{told}"


def take(value: str, client: Client) -> Launch | None:
    """The launch with this value, once: None if it is not this client's, too old, or was taken before."""
    since = timezone.now() - OPEN_FOR
    mine = Launch.objects.filter(digest=_digest(value), client=client, used_at=None, created_at__gt=since)
    if not mine.update(used_at=timezone.now()):
        return None
    return Launch.objects.select_related("patient", "user").get(digest=_digest(value))


def by_id(launch_id: str | None) -> Launch | None:
    """The launch that an authorization request came with."""
    if launch_id is None:
        return None
    return Launch.objects.select_related("patient").filter(pk=launch_id).first()


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


# A clinician's yes


def authorize_staff(
    *,
    user: User,
    client: Client,
    patient: Patient,
    text: str,
    language: str,
    helper: RelatedPerson | None = None,
) -> StaffAuthorization:
    """Keep that a clinician, or a helper, lets an app see one patient's record as they may see it."""
    return StaffAuthorization.objects.create(
        user=user,
        client=client,
        patient=patient,
        helper=helper,
        text_shown=text,
        text_language=language,
        ends_at=timezone.now() + STAFF_FOR,
    )


@transaction.atomic
def end_staff(authorization_id: UUID) -> None:
    """End it now, with every token behind it."""
    living = StaffAuthorization.objects.filter(pk=authorization_id, ended_at=None)
    living.update(ended_at=timezone.now())
    tokens.revoke_all(authorization_id)


@transaction.atomic
def end_of_helper(helper: RelatedPerson) -> int:
    """Their help ended: so does what apps could see by it. Returns how many apps that were."""
    living = StaffAuthorization.objects.filter(helper=helper, ended_at=None)
    ended = list(living.values_list("pk", flat=True))
    for authorization_id in ended:
        end_staff(authorization_id)
    return len(ended)


# The sign-in behind a token family


def remember(grant: Grant, *, session_key: str, acr: str, amr: list[str]) -> None:
    """Keep what the id_token and refreshes need to know of the session that said yes."""
    assert grant.user is not None  # a code is a person's
    SignIn.objects.create(
        token_family=grant.token_family, user=grant.user, session_key=session_key, acr=acr, amr=amr
    )


def sign_in_of(token_family: UUID | None) -> SignIn | None:
    if not token_family:
        return None
    return SignIn.objects.select_related("user").filter(token_family=token_family).first()


def may_refresh(source: Grant | RefreshToken) -> bool:
    """Whether its scopes allow a refresh token, now: for `online_access` while the session lives."""
    scopes = source.scope.split()
    if OFFLINE in scopes:
        return True
    return ONLINE in scopes and is_online(source.token_family)


def is_online(token_family: UUID | None) -> bool:
    """Whether the person is still signed in, in the session in which they said yes.

    An app in their hands is how they are here: that they left our own pages alone ends nothing.
    """
    found = sign_in_of(token_family)
    if found is None:
        return False
    session = Session.objects.filter(session_key=found.session_key, expire_date__gt=timezone.now()).first()
    told = session.get_decoded() if session else {}
    if sessions.is_too_long(told):
        return False
    return told.get(SESSION_KEY) == str(found.user_id) and constant_time_compare(
        told.get(HASH_SESSION_KEY, ""),
        found.user.get_session_auth_hash(),  # with another password the session is over
    )


def follow(old: str, new: str) -> int:
    """The session goes on under another key: so does what rests on it."""
    return SignIn.objects.filter(session_key=old).update(session_key=new)


@transaction.atomic
def end_online(session_key: str) -> int:
    """The session ended: so do tokens that rest on it alone. Returns how many token families that were."""
    ended = 0
    for family in SignIn.objects.filter(session_key=session_key).values_list("token_family", flat=True):
        token = (
            RefreshToken.objects.filter(token_family=family, revoked=None).order_by("-pk").first()
            or AccessToken.objects.filter(token_family=family).first()
        )
        scopes = token.scope.split() if token else []
        if token and ONLINE in scopes and OFFLINE not in scopes:
            RefreshToken.revoke_family(family)
            trail.ended(token, "session-ended")
            if not tokens.is_any_living(token.authorization_id):
                events.tell(token.application, events.Kind.ENDED, token.authorization_id)
            ended += 1
    return ended


@transaction.atomic
def end_all_of(user: User) -> int:
    """End every code and token of a person, whatever it rests on. What they shared stays shared: an app
    asks them to sign in again. Returns how many tokens that were."""
    now = timezone.now()
    StaffAuthorization.objects.filter(user=user, ended_at=None, ends_at__gt=now).update(ended_at=now)
    living: list[QuerySet[Any]] = [
        Grant.objects.filter(user=user, expires__gt=now, consumed_at=None),
        RefreshToken.objects.filter(user=user, revoked=None),
        AccessToken.objects.filter(user=user, expires__gt=now),
    ]
    one_of = {token.authorization_id: token for rows in living for token in rows.order_by("pk")}
    ended = 0
    for authorization_id, token in one_of.items():
        if authorization_id:
            ended += tokens.revoke_all(authorization_id)
            trail.ended(token, "sign-in-changed")
    return ended
