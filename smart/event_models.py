"""The outbox of what clients are told."""

from django.db import models

from notices.models import Outgoing


class SecurityEvent(Outgoing):
    """One event for one client; see `smart.events`."""

    client = models.ForeignKey("smart.Client", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)  # smart.events.Kind
    authorization_id = models.UUIDField(null=True)  # empty: it is about the client itself

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "client", "kind", "authorization_id", "created_at", "due_at", "sent_at", "attempts")

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(sent_at=None), name="event_due")]

    def __str__(self) -> str:
        return f"SecurityEvent/{self.id}"
