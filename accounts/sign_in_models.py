"""Rows about signing in that are no credentials: browsers that are known, and codes that open an account."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Device(models.Model):
    """A browser in which somebody signed in before. It holds a random value, we a hash of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    digest = models.CharField(max_length=64)  # SHA-256, hexadecimal
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "user", "digest", "first_seen_at", "last_seen_at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_row_per_known_browser")]

    def __str__(self) -> str:
        return f"Device/{self.id}"


class ActivationCode(models.Model):
    """What a clinic hands to a patient, so that they can make their account. Only a keyed hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="activation_codes")
    digest = models.CharField(max_length=64, unique=True)
    issued_at = models.DateTimeField(default=timezone.now)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )  # empty: by a command on the server
    expires_at = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0)  # the code was right, and who had it was not
    used_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "patient", "digest", "issued_at", "issued_by", "expires_at", "failures"),
            *("used_at", "cancelled_at"),
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(used_at=None, cancelled_at=None),
                name="one_open_activation_code",
            ),
            models.CheckConstraint(
                condition=Q(used_at=None) | Q(cancelled_at=None), name="an_activation_code_ends_once"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("issued_at")), name="an_activation_code_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"ActivationCode/{self.id}"
