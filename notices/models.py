"""The outbox: what has to be told to whom. A notice names no fact of health."""

import uuid

from django.db import models
from django.utils import timezone


class Outgoing(models.Model):
    """A row of an outbox: what is to be sent, when it is tried next, and how often it was."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


class Notice(Outgoing):
    """One message to one person, written in the transaction of what it tells."""

    kind = models.CharField(max_length=40)  # a key of notices.kinds.KINDS
    recipient = models.CharField(max_length=60, db_index=True)  # User/<id>; this app knows no model of people
    email = models.EmailField(blank=True)
    language = models.CharField(max_length=5, default="en")
    context = models.JSONField(default=dict)  # names of apps, times: never a fact of health
    read_at = models.DateTimeField(null=True)

    class Phi:
        fields = ("email", "context")
        safe = (
            *("id", "kind", "recipient", "language", "created_at"),
            *("due_at", "sent_at", "read_at", "attempts"),
        )

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(sent_at=None), name="notice_due")]

    def __str__(self) -> str:
        return f"Notice/{self.id}"
