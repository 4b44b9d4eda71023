"""Rows that can no longer decide anything are deleted, few at a time, so that nobody waits for a lock."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from smart.models import (
    AccessToken,
    AuthorizationRequest,
    Grant,
    IDToken,
    Launch,
    PushedRequest,
    RefreshToken,
    SecurityEvent,
    Seen,
    SignIn,
)

BATCH = 500  # rows of one transaction
MOST = 200  # batches of one table in one run; the rest waits for the next
DAY, LONG = timedelta(days=1), timedelta(days=90)

# What is useless at a moment, in this order. Used codes stay for a day and used refresh tokens for 90, so
# that one that comes back is known for what it is; a refresh token whose access token ran out needs that
# row still, and a sign-in is of use as long as there are tokens that rest on it.
USELESS: Mapping[str, Callable[[datetime], QuerySet[Any]]] = {
    "requests": lambda now: AuthorizationRequest.objects.filter(created_at__lt=now - DAY),
    "pushed": lambda now: PushedRequest.objects.filter(expires_at__lt=now),
    "launches": lambda now: Launch.objects.filter(created_at__lt=now - DAY),
    "codes": lambda now: Grant.objects.filter(expires__lt=now - DAY),
    "refresh": lambda now: RefreshToken.objects.filter(
        Q(revoked__lt=now - LONG) | Q(expires_at__lt=now - LONG)
    ),
    "access": lambda now: AccessToken.objects.filter(expires__lt=now, refresh_token=None),
    "id_tokens": lambda now: IDToken.objects.filter(expires__lt=now, access_token=None),
    "sign_ins": lambda now: _without_tokens(SignIn.objects.filter(created_at__lt=now - DAY)),
    "jtis": lambda now: Seen.objects.filter(expires_at__lt=now),
    "events": lambda now: SecurityEvent.objects.filter(created_at__lt=now - timedelta(days=30)),
}


def sweep() -> dict[str, int]:
    """Delete what is useless now. Returns how many rows of each kind went."""
    now = timezone.now()
    return {kind: _delete(rows(now)) for kind, rows in USELESS.items()}


def _delete(rows: QuerySet[Any]) -> int:
    """A row that another transaction holds is left for the next run."""
    gone = 0
    for _ in range(MOST):
        with transaction.atomic():
            batch = rows.order_by("pk").select_for_update(of=("self",), skip_locked=True)
            keys = list(batch.values_list("pk", flat=True)[:BATCH])
            rows.model._default_manager.filter(pk__in=keys).delete()
        gone += len(keys)
        if len(keys) < BATCH:
            break
    return gone


def _without_tokens(sign_ins: QuerySet[SignIn]) -> QuerySet[SignIn]:
    refresh = RefreshToken.objects.exclude(token_family=None).values("token_family")
    access = AccessToken.objects.exclude(token_family=None).values("token_family")
    return sign_ins.exclude(token_family__in=refresh).exclude(token_family__in=access)
