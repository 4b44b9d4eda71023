"""The outbox: what has to be told to whom. A notice names no fact of health."""

import uuid

from django.db import models
from django.utils import timezone

from notices.topics import DEFAULTS, Delivery


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
    is_daily = models.BooleanField(default=False)  # goes with the others of its day in one e-mail

    class Phi:
        fields = ("email", "context")
        safe = (
            *("id", "kind", "recipient", "language", "created_at", "is_daily"),
            *("due_at", "sent_at", "read_at", "attempts"),
        )

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(sent_at=None), name="notice_due")]

    def __str__(self) -> str:
        return f"Notice/{self.id}"


class Preference(models.Model):
    """How soon a person wants to hear of a topic, where they chose."""

    recipient = models.CharField(max_length=60)  # User/<id>
    topic = models.CharField(max_length=10, choices=[(t.value, t.value) for t in DEFAULTS])
    delivery = models.CharField(max_length=6, choices=[(d.value, d.value) for d in Delivery])

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "recipient", "topic", "delivery")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "topic"], name="one_choice_for_a_topic")]

    def __str__(self) -> str:
        return f"Preference/{self.pk}"
