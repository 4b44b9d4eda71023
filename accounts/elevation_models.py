"""That a member of staff may do more for some minutes: why, for whom, until when."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone


class RunningElevations(models.QuerySet["Elevation"]):
    def running(self) -> "RunningElevations":
        """Those whose time is not over, by the database's clock at this statement."""
        return self.filter(ended_at=None, ends_at__gt=Now())


class Elevation(models.Model):
    """It changes by `accounts.elevations` only, and ends by itself: no task has to end it."""

    class Why(models.TextChoices):
        IDENTITY = "identity"  # is this the person who calls?
        LOCKED_OUT = "locked-out"  # cannot sign in, and the usual way does not help
        FAULT = "fault"  # something does not work for them
        SECURITY = "security"  # somebody else may be in the account

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, null=True, related_name="+")
    why = models.CharField(max_length=10, choices=Why)
    text = models.TextField()
    ticket = models.CharField(max_length=40)
    started_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # before its time

    objects = RunningElevations.as_manager()

    class Phi:
        fields = ("text", "ticket")
        safe = ("id", "user", "patient", "why", "started_at", "ends_at", "ended_at")

    class Meta:
        indexes = [models.Index(fields=["user", "ends_at"], name="elevation_running")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("started_at")), name="elevation_has_an_end"),
        ]

    def __str__(self) -> str:
        return f"Elevation/{self.pk}"
