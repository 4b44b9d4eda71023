"""EHRs behind the gate, and proposed changes to a chart."""

import time
import uuid
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


class Source(models.Model):
    """One EHR: where it is and how to speak to it."""

    class Kind(models.TextChoices):
        EMBEDDED = "embedded"  # the FHIR server in this process
        HTTP = "http"  # a FHIR REST server

    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind)
    base_url = models.URLField(blank=True)
    is_primary = models.BooleanField(default=False)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("slug", "name", "kind", "base_url", "is_primary")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_primary"],
                condition=models.Q(is_primary=True),
                name="one_primary_source",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="embedded", base_url="")
                | (models.Q(kind="http") & ~models.Q(base_url="")),
                name="base_url_for_http_only",
            ),
        ]

    def __str__(self) -> str:
        return f"Source/{self.slug}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        _primary.cache_clear()

    @classmethod
    def primary(cls) -> "Source":
        """The EHR behind /fhir/r4/. Read once a process and minute: where an EHR is, is no decision."""
        return _primary(int(time.monotonic() // 60))


@lru_cache(maxsize=1)
def _primary(_minute: int) -> Source:
    return Source.objects.get(is_primary=True)


class WriteCommand(models.Model):
    """One proposed change to a chart. Its history is in `events`; `status` is the last of it."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        VALIDATED = "validated"
        AWAITING_REVIEW = "awaiting_review"
        SENT_BACK = "sent_back"
        APPROVED = "approved"
        SUBMITTING = "submitting"
        APPLIED = "applied"
        CONFLICT = "conflict"
        REJECTED = "rejected"
        FAILED = "failed"
        UNKNOWN = "unknown"  # the answer was lost; found out by search, never sent again blindly
        CANCELLED = "cancelled"
        BLOCKED = "blocked"  # the consent ended before it was sent

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="write_commands")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    client = models.ForeignKey("smart.Client", models.PROTECT, null=True, related_name="+")
    consent = models.ForeignKey("consent.Consent", models.PROTECT, null=True, related_name="+")
    consent_number = models.PositiveIntegerField(null=True)
    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20)  # portal, smart, api
    interaction = models.CharField(max_length=10)  # FHIR restful-interaction: create, update
    resource_type = models.CharField(max_length=40)
    resource = models.TextField()  # the proposed resource, as FHIR JSON
    origin = models.CharField(max_length=20, default="measured")  # where the fact comes from
    idempotency_scope = models.CharField(max_length=80)  # who the key belongs to
    idempotency_key = models.CharField(max_length=255)
    body_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.RECEIVED)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=40, blank=True)  # code of why it was not added
    result = models.CharField(max_length=255, blank=True)  # Observation/1/_history/1, once applied
    created_at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields = ("resource", "result")
        safe = (
            "id",
            "patient",
            "author",
            "client",
            "consent",
            "consent_number",
            "source",
            "channel",
            "interaction",
            "resource_type",
            "origin",
            "idempotency_scope",
            "idempotency_key",
            "body_sha256",
            "status",
            "reviewer",
            "reason",
            "created_at",
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_scope", "idempotency_key"], name="one_command_per_key"
            )
        ]
        indexes = [models.Index(fields=["status", "created_at"])]

    def __str__(self) -> str:
        return f"WriteCommand/{self.id}"


class WriteEvent(models.Model):
    """One step of a command. Only ever added."""

    command = models.ForeignKey(WriteCommand, models.PROTECT, related_name="events")
    status = models.CharField(max_length=16, choices=WriteCommand.Status)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=40, blank=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "command", "status", "at", "by", "reason")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"WriteEvent/{self.pk}"
