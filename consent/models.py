"""Consents that never change: each change appends a version that says all there is to know."""

import hashlib
import json
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from consent.decision import Provision, ProvisionType
from consent.emergency_models import EmergencyAccess
from consent.merge_models import MergeProposal
from consent.provisions import read_back
from consent.rule_changes import RulesInForce
from consent.valuesets import LabelledCode, ValueSetRelease

__all__ = [
    "Consent",
    "ConsentVersion",
    "EmergencyAccess",
    "Epoch",
    "LabelledCode",
    "MergeProposal",
    "RulesInForce",
    "ValueSetRelease",
]


class Consent(models.Model):
    """One thing that a patient allows or refuses, named as in FHIR R4 Consent.

    The row carries the head of its versions, so that a request is decided by one read.
    """

    class Kind(models.TextChoices):
        APP = "app"  # a client may use the record
        HELPER = "helper"  # a related person may act for the patient
        SHARE = "share"  # an organisation or practitioner may use it
        PREFERENCE = "preference"  # an opt-in or opt-out (`consent.directives`)
        RESTRICTION = "restriction"  # a limit that the patient asked for (45 CFR 164.522)

    class Status(models.TextChoices):
        PROPOSED = "proposed"  # waits for a yes: of the patient, or of the clinic to a restriction
        ACTIVE = "active"
        PAUSED = "paused"  # FHIR has no such word; others read it as inactive
        INACTIVE = "inactive"  # FHIR's word for revoked or run out
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="consents")
    kind = models.CharField(max_length=11, choices=Kind)
    client = models.ForeignKey("smart.Client", models.PROTECT, null=True, blank=True, related_name="consents")
    helper = models.ForeignKey(
        "accounts.RelatedPerson", models.PROTECT, null=True, blank=True, related_name="consents"
    )
    recipient = models.CharField(max_length=200, blank=True)  # FHIR reference of whom a share is with
    directive = models.SlugField(max_length=40, blank=True)  # which choice a preference makes
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    current_number = models.PositiveIntegerField(default=0)
    period_end = models.DateTimeField(null=True, blank=True)  # null: until it is changed
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Phi:
        fields = ("recipient",)
        safe = (
            "id",
            "patient",
            "kind",
            "client",
            "helper",
            "directive",
            "status",
            "current_number",
            "period_end",
            "created_at",
            "revoked_at",
            "revoked_by",
        )

    class Meta:
        constraints = [
            *(
                models.UniqueConstraint(
                    fields=["patient", field],
                    condition=Q(kind=kind, status__in=["active", "paused"]),
                    name=f"one_{kind}_consent_at_a_time",
                )
                for kind, field in {
                    "app": "client",
                    "helper": "helper",
                    "share": "recipient",
                    "preference": "directive",
                }.items()
            ),
            models.CheckConstraint(
                condition=Q(kind="app", client__isnull=False, helper=None, recipient="", directive="")
                | Q(kind="helper", client=None, helper__isnull=False, recipient="", directive="")
                | (Q(kind="share", client=None, helper=None, directive="") & ~Q(recipient=""))
                | (Q(kind="preference", client=None, helper=None, recipient="") & ~Q(directive=""))
                | Q(kind="restriction", client=None, helper=None, recipient="", directive=""),
                name="consent_names_whom_its_kind_asks_for",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="revoked_at_and_revoked_by_go_together",
            ),
        ]
        indexes = [
            # What holds whoever asks: read with every request, and few patients have any.
            models.Index(
                fields=["patient"],
                condition=Q(kind="restriction", status="active"),
                name="consent_restrictions",
            ),
            models.Index(fields=["period_end"], condition=Q(status="active"), name="consent_due_to_end"),
        ]

    def __str__(self) -> str:
        return f"Consent/{self.id}"

    @property
    def is_active(self) -> bool:
        ended = self.period_end is not None and self.period_end <= timezone.now()
        return self.status == self.Status.ACTIVE and not ended

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
    period_end = models.DateTimeField(null=True)  # when it runs out by itself
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(  # null: by itself, at its end
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    channel = models.CharField(max_length=20)  # portal, smart, fhir, staff, system
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
            "period_end",
            "made_at",
            "made_by",
            "channel",
            "text_language",
            "digest",
        )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consent", "number"], name="one_row_per_version")]
        indexes = [models.Index(fields=["made_at"], name="consent_version_made_at")]

    def __str__(self) -> str:
        return f"Consent/{self.consent_id}/_history/{self.number}"

    def as_fhir(self) -> dict[str, Any]:
        return json.loads(self.fhir)

    @property
    def permit(self) -> Provision:
        """What it lets its recipient do. Raises StopIteration where it only denies."""
        return next(p for p in read_back(self.provisions) if p.type is ProvisionType.PERMIT)

    @property
    def text_version(self) -> str:
        """SHA-256, in hexadecimal, of what was shown and its language: the same words have the same one."""
        return hashlib.sha256(f"{self.text_language}\0{self.text_shown}".encode()).hexdigest()


class Epoch(models.Model):
    """How often something changed that holds whoever asks: a patient's helpers, shares, choices and limits.

    An answer leaves only if the number is still the one it was decided by (`consent_in_force`).
    """

    patient = models.OneToOneField("accounts.Patient", models.PROTECT, primary_key=True, related_name="+")
    number = models.PositiveIntegerField(default=0)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("patient", "number")

    def __str__(self) -> str:
        return f"Epoch/{self.patient_id}"
