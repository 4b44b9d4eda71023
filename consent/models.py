"""Consents that never change: each change appends a version that says all there is to know."""

import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Consent(models.Model):
    """What a patient allows one client or one person, named as in FHIR R4 Consent.

    The row carries the head of its versions, so that a request is decided by one read.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"  # FHIR's word for revoked or run out

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="consents")
    client = models.ForeignKey("smart.Client", models.PROTECT, null=True, blank=True, related_name="consents")
    helper = models.ForeignKey(
        "accounts.RelatedPerson", models.PROTECT, null=True, blank=True, related_name="consents"
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    current_number = models.PositiveIntegerField(default=1)
    period_end = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            "id",
            "patient",
            "client",
            "helper",
            "status",
            "current_number",
            "period_end",
            "created_at",
            "revoked_at",
            "revoked_by",
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "client"],
                condition=Q(status="active"),
                name="one_active_consent_per_client",
            ),
            models.UniqueConstraint(
                fields=["helper"],
                condition=Q(status="active"),
                name="one_active_consent_per_helper",
            ),
            models.CheckConstraint(
                condition=Q(client=None, helper__isnull=False) | Q(client__isnull=False, helper=None),
                name="consent_is_for_a_client_or_a_helper",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="revoked_at_and_revoked_by_go_together",
            ),
        ]

    def __str__(self) -> str:
        return f"Consent/{self.id}"

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE and self.period_end > timezone.now()

    @property
    def current(self) -> "ConsentVersion":
        return self.versions.get(number=self.current_number)


class ConsentVersion(models.Model):
    """One state of a consent. Rows are only ever added; the database refuses anything else."""

    consent = models.ForeignKey(Consent, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    fhir = models.TextField()  # the FHIR R4 Consent, as canonical JSON
    provisions = models.JSONField()  # compiled from it: what `decide` reads
    status = models.CharField(max_length=8, choices=Consent.Status)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20)  # portal, smart, staff, system
    text_shown = models.TextField(blank=True)  # word for word what the person agreed to
    text_language = models.CharField(max_length=5, blank=True)
    digest = models.CharField(max_length=64)  # SHA-256 of all of the above, in hexadecimal

    class Phi:
        fields = ("fhir", "text_shown")
        safe = (
            "id",
            "consent",
            "number",
            "provisions",
            "status",
            "made_at",
            "made_by",
            "channel",
            "text_language",
            "digest",
        )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consent", "number"], name="one_row_per_version")]

    def __str__(self) -> str:
        return f"Consent/{self.consent_id}/_history/{self.number}"

    def as_fhir(self) -> dict[str, Any]:
        return json.loads(self.fhir)
