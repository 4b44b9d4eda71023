"""Export runs and the files they make."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class ExportJob(models.Model):
    """One run of an export. The row is the truth; the queue only says that there is work."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        PACKAGING = "packaging"
        COMPLETED = "completed"
        COMPLETED_WITH_GAPS = "completed_with_gaps"
        CANCELLED = "cancelled"
        BLOCKED = "blocked"  # by consent
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="export_jobs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    resource_types = models.JSONField()  # the effective `_type`, frozen at kick-off
    categories = models.JSONField(default=list)  # what was chosen; empty: everything
    include_sensitive = models.BooleanField(default=False)
    done_types = models.JSONField(default=list)
    manifest = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)  # a worker holds the job until then
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40, blank=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            "id",
            "patient",
            "requested_by",
            "status",
            "resource_types",
            "categories",
            "include_sensitive",
            "done_types",
            "manifest",
            "created_at",
            "lease_until",
            "finished_at",
            "expires_at",
            "reason",
        )

    def __str__(self) -> str:
        return f"ExportJob/{self.id}"

    @property
    def is_over(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class ExportFile(models.Model):
    """One NDJSON file of a job: resources of one type, one a line."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(ExportJob, models.PROTECT, related_name="files")
    resource_type = models.CharField(max_length=40)
    count = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)  # of the file's bytes, in hexadecimal

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "job", "resource_type", "count", "size", "sha256")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "resource_type"], name="one_file_per_type")]

    def __str__(self) -> str:
        return f"ExportFile/{self.id}"
