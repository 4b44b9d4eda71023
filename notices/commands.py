"""Putting notices into the outbox, and marking them read."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from notices.kinds import KINDS
from notices.models import Notice, Preference
from notices.topics import DEFAULTS, Delivery, Topic, next_digest


def enqueue(kind: str, *, recipient: str, email: str, language: str, context: Mapping[str, str]) -> Notice:
    """Write one notice in the caller's transaction: it is sent if, and only if, that commits.

    `recipient` is "User/<uuid>"; an empty `email` makes a notice that stands in the portal only.
    Raises `KeyError` for an unknown kind, `ValueError` where `context` has other keys than the kind names.
    """
    if set(context) != set(KINDS[kind].names):
        raise ValueError(f"A notice of {kind} takes {KINDS[kind].names}, not {tuple(context)}.")
    wanted = preferences(recipient).get(KINDS[kind].topic, Delivery.NOW)
    is_daily = wanted is Delivery.DAILY
    return Notice.objects.create(
        kind=kind,
        recipient=recipient,
        email="" if wanted is Delivery.PORTAL else email,
        language=language,
        context=dict(context),
        is_daily=is_daily,
        due_at=next_digest(timezone.now()) if is_daily else timezone.now(),
    )


def preferences(recipient: str) -> dict[Topic, Delivery]:
    """How soon this person hears of each topic that they can choose about."""
    chosen = Preference.objects.filter(recipient=recipient).values_list("topic", "delivery")
    return {**DEFAULTS, **{Topic(topic): Delivery(delivery) for topic, delivery in chosen}}


@transaction.atomic
def prefer(recipient: str, wanted: Mapping[Topic, Delivery]) -> None:
    """Keep what a person chose. What waits for the daily e-mail already keeps its time.

    Raises ValueError for a topic that nobody can choose about.
    """
    if fixed := set(wanted) - set(DEFAULTS):
        raise ValueError(f"{fixed} goes out at once, always.")
    for topic, delivery in wanted.items():
        Preference.objects.update_or_create(recipient=recipient, topic=topic, defaults={"delivery": delivery})


def mark_read(notice: Notice, *, by: str) -> bool:
    """Mark a notice as read by its recipient ("User/<uuid>"). Reading twice keeps the first time.

    False, and nothing changed, if it is someone else's.
    """
    mine = Notice.objects.filter(id=notice.id, recipient=by)
    return bool(mine.update(read_at=Coalesce(F("read_at"), Now())))
