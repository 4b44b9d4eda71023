"""The code that a patient reads out to support."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class SupportCode(models.Model):
    """It lets one member of support see how an account stands. It changes by `accounts.support` only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="support_codes")
    digest = models.CharField(max_length=64, unique=True)  # HMAC-SHA256 of the code, in hexadecimal
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Phi:
        fields = ("digest",)
        safe = ("id", "patient", "made_at", "expires_at", "used_at", "used_by")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(used_at=None, used_by=None) | Q(used_at__isnull=False, used_by__isnull=False),
                name="support_code_used_at_and_by_go_together",
            )
        ]

    def __str__(self) -> str:
        return f"SupportCode/{self.pk}"
