"""Export runs and the files they make."""

import uuid
from typing import cast

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Patient, User
from exports.group_models import Group, GroupApproval, GroupMember
from exports.link_models import HealthLink, HealthLinkFile, HealthLinkOpening
from exports.push_models import Destination, Push

__all__ = [
    "Destination",
    "ExportFile",
    "ExportJob",
    "Group",
    "GroupApproval",
    "GroupMember",
    "HealthLink",
    "HealthLinkFile",
    "HealthLinkOpening",
    "Push",
    "SharedLine",
]


class ExportJob(models.Model):
    """One run of an export. The row is the truth; the queue only says that there is work.

    `personal`: what a person takes of one record. `bulk`: what a client is given of many (Bulk Data Access).
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        BULK = "bulk"

    class Status(models.TextChoices):
        """What may follow what stands in `exports.states`."""

        QUEUED = "queued"
        PREPARING = "preparing"
        RUNNING = "running"
        PACKAGING = "packaging"
        COMPLETED = "completed"
        COMPLETED_WITH_GAPS = "completed_with_gaps"
        CANCELLED = "cancelled"
        BLOCKED = "blocked"  # by consent
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.PERSONAL)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, null=True, related_name="export_jobs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    client = models.ForeignKey("smart.Client", models.PROTECT, null=True, related_name="export_jobs")
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)

    # What was asked for, frozen at kick-off.
    request = models.TextField(blank=True)  # the kick-off's URL, as it came
    group_reference = models.CharField(max_length=100, blank=True)  # "Group/1"; empty: not of a group
    approval = models.ForeignKey(GroupApproval, models.PROTECT, null=True, related_name="jobs")  # bulk
    scope = models.TextField(blank=True)  # bulk: the system scopes of the token that asked
    ignored = models.JSONField(default=list)  # bulk: sentences on parameters that were left out
    resource_types = models.JSONField()  # the effective `_type`
    since = models.DateTimeField(null=True)  # bulk: changed since; personal: what happened from then on
    until = models.DateTimeField(null=True)
    type_filters = models.JSONField(default=list)  # "Observation?category=laboratory"
    elements = models.JSONField(default=list)  # "id", "Patient.name"
    patients = models.JSONField(default=list)  # ids that the `patient` parameter named; empty: all
    formats = models.JSONField(default=list)  # personal: of `exports.choices.Format`
    categories = models.JSONField(default=list)  # personal: what was chosen; empty: everything
    include_sensitive = models.BooleanField(default=False)  # personal: private topics, in a package apart

    # Where the run stands.
    lease_until = models.DateTimeField(null=True)  # a worker holds the job until then
    lease_holder = models.UUIDField(null=True)  # and this is the run that holds it
    heartbeat_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # since it last got on
    position = models.JSONField(default=dict)  # what is done, as its source counts (`exports.sources`)
    progress = models.JSONField(default=dict)  # {"done": resources so far, "estimate": of how many}
    left_out = models.JSONField(default=list)  # [{"what": a type, "why": a code}]

    wrapped_key = models.TextField(blank=True)  # of its files; without it they are noise (`exports.sealing`)
    manifest = models.JSONField(null=True)
    signature = models.TextField(blank=True)  # the manifest's, a JWS without payload (RFC 7515, F)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40, blank=True)  # a code: why it is blocked or failed

    class Phi:
        fields = ("request", "type_filters")
        safe = (
            *("id", "kind", "patient", "requested_by", "client", "status", "group_reference", "approval"),
            *("scope", "ignored"),
            *("resource_types", "since", "until", "elements", "patients", "formats", "categories"),
            *("include_sensitive", "lease_until", "lease_holder", "heartbeat_at", "attempts", "position"),
            *("progress", "left_out", "wrapped_key", "manifest", "signature", "created_at", "finished_at"),
            *("expires_at", "reason"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="personal", patient__isnull=False, requested_by__isnull=False, client=None)
                | Q(kind="bulk", patient=None, client__isnull=False),
                name="an_export_is_a_persons_or_a_clients",
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                name="exports_living",
                condition=Q(status__in=["queued", "preparing", "running", "packaging"]),
            ),
        ]

    def __str__(self) -> str:
        return f"ExportJob/{self.id}"

    @property
    def whose(self) -> Patient:
        """A person's export: the record that it is of."""
        return cast(Patient, self.patient)

    @property
    def who(self) -> User:
        """A person's export: who asked for it."""
        return cast(User, self.requested_by)

    @property
    def is_over(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class ExportFile(models.Model):
    """One file of a job. It stands sealed under the job's key; size and hash are of what is in it."""

    class Kind(models.TextChoices):
        """The first three are those of a Bulk Data manifest: NDJSON, of one type, one resource a line."""

        OUTPUT = "output"
        DELETED = "deleted"  # Bundles that say what is not there any more
        ERROR = "error"  # OperationOutcomes
        PACKAGE = "package"  # an archive of the others, for a person

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(ExportJob, models.PROTECT, related_name="files")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.OUTPUT)
    resource_type = models.CharField(max_length=40, blank=True)  # empty: a package
    number = models.PositiveIntegerField(default=1)  # where one type has several files
    is_private = models.BooleanField(default=False)  # personal: of the package of private topics
    count = models.PositiveBigIntegerField(default=0)  # of resources
    size = models.PositiveBigIntegerField(default=0)  # bytes
    sha256 = models.CharField(max_length=64, blank=True)  # hexadecimal; empty while it is written
    tail = models.BinaryField(default=bytes)  # while it is written: the end that fills no segment yet, sealed

    class Phi:
        fields = ("tail",)
        safe = ("id", "job", "kind", "resource_type", "number", "is_private", "count", "size", "sha256")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "kind", "resource_type", "number", "is_private"],
                name="one_file_of_that_number",
            )
        ]

    def __str__(self) -> str:
        return f"ExportFile/{self.id}"


class SharedLine(models.Model):
    """What many patients refer to and one bulk export has once, while it runs: a practitioner, a place."""

    job = models.ForeignKey(ExportJob, models.CASCADE, related_name="+")
    resource_type = models.CharField(max_length=40)
    fhir_id = models.CharField(max_length=255)
    batch = models.UUIDField()  # the patient behind whom the batch began that it is of

    class Phi:
        fields = ("fhir_id",)
        safe = ("id", "job", "resource_type", "batch")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "resource_type", "fhir_id"], name="one_shared_line")
        ]

    def __str__(self) -> str:
        return f"SharedLine/{self.pk}"
