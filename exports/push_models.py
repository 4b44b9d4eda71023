"""Where a service may have its exports sent, and each export that is on its way there."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import secrets


class Destination(models.Model):
    """An HTTPS address or a bucket of a service's, in use once it was proven to be theirs.

    `pins` say by which keys it is known: SHA-256 of a certificate's SubjectPublicKeyInfo, in base64
    (RFC 7469, 2.4). One is in use; another may stand by for a change of keys.
    """

    class Kind(models.TextChoices):
        HTTPS = "https", "HTTPS address"
        BUCKET = "bucket", "S3 bucket"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey("smart.Client", models.PROTECT, related_name="destinations")
    kind = models.CharField(max_length=6, choices=Kind)
    url = models.URLField(max_length=400)  # what files are put below
    region = models.CharField(max_length=40, blank=True)  # bucket
    pins = models.JSONField()
    secret = models.TextField(editable=False)  # encrypted: a bearer token, or "access key:secret key"
    challenge = models.CharField(max_length=64)  # what its owner puts there to be read
    registered_at = models.DateTimeField(default=timezone.now)
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proven_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "client", "kind", "url", "region", "pins", "secret", "challenge", "registered_at"),
            *("registered_by", "proven_at", "ended_at", "ended_by"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="a_destination_that_ended_says_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"Destination/{self.pk}"

    def open_secret(self) -> str:
        """Raises `cryptography.fernet.InvalidToken` where FIELD_KEY is another one by now."""
        return secrets.decrypt(self.secret)


class Push(models.Model):
    """One export on its way to a destination. What may follow what stands in `exports.push.pushes`."""

    class Status(models.TextChoices):
        WAITING = "waiting"  # for the files
        HELD = "held"  # for a second person
        SENDING = "sending"
        DONE = "done"
        STOPPED = "stopped"  # what allowed it has ended
        FAILED = "failed"

    job = models.OneToOneField("exports.ExportJob", models.PROTECT, related_name="push")
    destination = models.ForeignKey(Destination, models.PROTECT, related_name="pushes")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    sent = models.JSONField(default=list)  # ids of the files that are there
    attempts = models.PositiveSmallIntegerField(default=0)  # since the last file arrived
    next_at = models.DateTimeField(default=timezone.now)  # nobody works on it before then
    holder = models.UUIDField(null=True)  # the run that works on it
    released_at = models.DateTimeField(null=True)
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    finished_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40, blank=True)  # a code: why it was stopped, failed or is late

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "job", "destination", "status", "sent", "attempts", "next_at", "holder", "released_at"),
            *("released_by", "finished_at", "reason"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(released_at=None, released_by=None)
                | Q(released_at__isnull=False, released_by__isnull=False),
                name="a_push_that_was_released_says_by_whom",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                name="exports_pushes_open",
                condition=Q(status__in=["waiting", "sending"]),
            ),
        ]

    def __str__(self) -> str:
        return f"Push/{self.pk}"
