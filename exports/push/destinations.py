"""Where exports may be sent: registered by an administrator for a service, proven by its owner, ended.

Three rules hold at each use, not only here: the operators' list of hosts (`EXPORT_PUSH_HOSTS`), one of the
pinned keys, and public addresses only, without following anything (`smart.keys.Fetcher`).
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import secrets
from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from exports.bulk.approvals import NotNow
from exports.models import Destination
from exports.push import sending
from exports.push.sending import NotSent
from fhirproxy import addresses
from smart.models import Client

PIN = re.compile(r"[A-Za-z0-9+/]{43}=")
MOST_PINS = 2


@transaction.atomic
def register(
    client: Client,
    *,
    kind: str,
    url: str,
    pins: Sequence[str],
    secret: str,
    by: User,
    region: str = "",
) -> Destination:
    """A destination that nothing is sent to yet: its owner has to prove it first. Raises NotNow.

    `secret`: the bearer token that its owner wants to see; of a bucket "access key:secret key".
    """
    if client.authorization_grant_type != Client.GRANT_CLIENT_CREDENTIALS:
        raise NotNow("This app is no backend service.")
    if kind not in Destination.Kind.values:
        raise NotNow("Choose what kind of destination it is.")
    if said := problem(url):
        raise NotNow(said)
    if not 1 <= len(pins) <= MOST_PINS or not all(map(PIN.fullmatch, pins)):
        raise NotNow("A pin is the SHA-256 of a public key in base64, 44 characters. Give one, or two.")
    if not secret.isprintable() or not secret.isascii() or not secret:
        raise NotNow("Give the token, or the keys of the bucket.")
    if kind == Destination.Kind.BUCKET and not (all(secret.partition(":")) and region):
        raise NotNow("A bucket has a region, an access key and a secret key, with a colon between the keys.")
    destination = Destination.objects.create(
        client=client,
        kind=kind,
        url=url.rstrip("/"),
        region=region,
        pins=list(pins),
        secret=secrets.encrypt(secret),
        challenge=sending.new_challenge(),
        registered_by=by,
    )
    _log(destination, by, "register")
    return destination


def problem(url: str) -> str:
    """Why nothing may be sent to an address, as a sentence; empty where it may, by the address."""
    if said := addresses.problem(url):
        return said
    host = urlsplit(url).hostname
    if urlsplit(url).scheme != "https":
        return "The address must begin with https://."
    if host not in settings.EXPORT_PUSH_HOSTS:
        return "The operators' list (EXPORT_PUSH_HOSTS) does not have this host."
    return ""


def prove(destination: Destination, *, by: User) -> None:
    """Read the challenge at the destination itself, under its pinned key. Raises NotNow."""
    try:
        if said := problem(destination.url):
            raise NotNow(said)
        sending.check_challenge(destination)
    except (NotSent, NotNow) as error:
        _log(destination, by, "prove", outcome=Outcome.FAILED)
        raise NotNow(str(error)) from error
    with transaction.atomic():
        Destination.objects.filter(pk=destination.pk, ended_at=None).update(proven_at=timezone.now())
        _log(destination, by, "prove")


@transaction.atomic
def end(destination: Destination, *, by: User) -> None:
    """Nothing is sent there any more, from the next piece on. Twice changes nothing."""
    there = Destination.objects.filter(pk=destination.pk, ended_at=None)
    if there.update(ended_at=timezone.now(), ended_by=by, secret=""):
        _log(destination, by, "end")


def usable(client: Client, destination_id: str) -> Destination | None:
    """The service's own, proven and in force."""
    found = Destination.objects.filter(client=client, ended_at=None, proven_at__isnull=False)
    return next((each for each in found if str(each.pk) == destination_id and not problem(each.url)), None)


def _log(destination: Destination, by: User, change: str, outcome: Outcome = Outcome.DONE) -> None:
    record(
        Entry(
            type=EventType.ADMIN_CHANGE,
            outcome=outcome,
            actor=f"User/{by.pk}",
            role=Role.COMPLIANCE,
            client=f"Client/{destination.client.client_id}",
            target=f"Destination/{destination.pk}",
            detail={"change": change, "kind": destination.kind},
        )
    )
