"""Drafts: what somebody began is kept for 30 days, under encryption, for them alone.

A draft belongs to who wrote it and to whose record it is about: a patient's is not their helper's, and
a helper's is gone for them once they act for somebody else. A view finds it by `find`, changes it in a
transaction by `locked` and `save`, and ends it by `finish` or `discard`.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts import secrets
from accounts.models import Patient, User
from portal.models import Draft

KEPT_FOR = timedelta(days=30)  # since it was last saved
MOST = 20  # of one person; the oldest makes room


@transaction.atomic
def start(*, owner: User, patient: Patient, form: str, answers: Mapping[str, Any]) -> Draft:
    now = timezone.now()
    draft = Draft.objects.create(
        owner=owner,
        patient=patient,
        form=form,
        sealed=_seal(answers),
        saved_at=now,
        expires_at=now + KEPT_FOR,
    )
    mine = Draft.objects.filter(owner=owner).order_by("-saved_at")
    Draft.objects.filter(pk__in=list(mine.values_list("pk", flat=True)[MOST:])).delete()
    return draft


def find(*, owner: User, patient: Patient, form: str) -> QuerySet[Draft]:
    """Those of this person, about this patient, that have not run out; finished ones too."""
    return Draft.objects.filter(owner=owner, patient=patient, form=form, expires_at__gt=timezone.now())


def unfinished(owner: User, patient: Patient) -> QuerySet[Draft]:
    """What waits to be finished, oldest first."""
    mine = Draft.objects.filter(owner=owner, patient=patient, outcome="", expires_at__gt=timezone.now())
    return mine.order_by("saved_at")


def answers_of(draft: Draft) -> dict[str, Any]:
    """What was answered so far: nothing where it is finished, or sealed with a key that was changed."""
    try:
        found: dict[str, Any] = json.loads(secrets.decrypt(draft.sealed)) if draft.sealed else {}
    except InvalidToken:
        return {}
    return found


def locked(draft: Draft) -> Draft:
    """The draft as it is once nobody else can change it. Raises Http404 where it was discarded."""
    return get_object_or_404(Draft.objects.select_for_update(), pk=draft.pk)


@transaction.atomic
def save(draft: Draft, answers: Mapping[str, Any]) -> Draft:
    """Put these answers beside those it has; None takes one away. A finished draft stays as it is."""
    draft = locked(draft)
    if draft.outcome:
        return draft
    whole = answers_of(draft) | dict(answers)
    now = timezone.now()
    draft.sealed = _seal({name: value for name, value in whole.items() if value is not None})
    draft.version, draft.saved_at, draft.expires_at = draft.version + 1, now, now + KEPT_FOR
    draft.save(update_fields=["sealed", "version", "saved_at", "expires_at"])
    return draft


def finish(draft: Draft, outcome: str) -> None:
    """It was sent, and this came of it. Call it with the draft locked, in the transaction that sends it."""
    draft.sealed, draft.outcome, draft.saved_at = "", outcome, timezone.now()
    draft.save(update_fields=["sealed", "outcome", "saved_at"])


def discard(draft: Draft) -> None:
    """Throw it away. What was sent stays, and so does the row that says so."""
    Draft.objects.filter(pk=draft.pk, outcome="").delete()


def sweep() -> int:
    """Delete what ran out, and what people began whose account is closed."""
    due = Q(expires_at__lte=timezone.now()) | Q(owner__is_active=False)
    count, _ = Draft.objects.filter(due).delete()
    return count


def _seal(answers: Mapping[str, Any]) -> str:
    return secrets.encrypt(json.dumps(dict(answers)))
