"""Putting notices into the outbox, and marking them read."""

from collections.abc import Mapping

from django.db.models import F
from django.db.models.functions import Coalesce, Now

from notices.kinds import KINDS
from notices.models import Notice


def enqueue(kind: str, *, recipient: str, email: str, language: str, context: Mapping[str, str]) -> Notice:
    """Write one notice in the caller's transaction: it is sent if, and only if, that commits.

    `recipient` is "User/<uuid>"; an empty `email` makes a notice that stands in the portal only.
    Raises `KeyError` for an unknown kind, `ValueError` where `context` has other keys than the kind names.
    """
    if set(context) != set(KINDS[kind].names):
        raise ValueError(f"A notice of {kind} takes {KINDS[kind].names}, not {tuple(context)}.")
    return Notice.objects.create(
        kind=kind, recipient=recipient, email=email, language=language, context=dict(context)
    )


def mark_read(notice: Notice, *, by: str) -> bool:
    """Mark a notice as read by its recipient ("User/<uuid>"). Reading twice keeps the first time.

    False, and nothing changed, if it is someone else's.
    """
    mine = Notice.objects.filter(id=notice.id, recipient=by)
    return bool(mine.update(read_at=Coalesce(F("read_at"), Now())))
