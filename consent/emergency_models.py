"""A clinician's view of a record in an emergency: why, until when, and what became of its review."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone


class RunningViews(models.QuerySet["EmergencyAccess"]):
    def running(self) -> "RunningViews":
        """Those whose window is open, by the database's clock at this statement."""
        return self.filter(ended_at=None, ends_at__gt=Now())


class EmergencyAccess(models.Model):
    """That a clinician broke the glass. It changes by `consent.emergencies` and `compliance.emergencies`."""

    class Why(models.TextChoices):
        UNCONSCIOUS = "unconscious"  # cannot say, or agree to, anything
        LIFE = "life"  # danger to life or limb
        HARM = "harm"  # danger to themself or to others
        HANDOVER = "handover"  # who treats them cannot be reached
        TREATING = "treating"  # no emergency: they treat them, and the record asks for a reason

    class Verdict(models.TextChoices):
        CONFIRMED = "confirmed"
        ESCALATED = "escalated"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="emergency_views")
    why = models.CharField(max_length=12, choices=Why)
    text = models.TextField()  # in the clinician's own words
    on_team = models.BooleanField()  # whether the EHR knew them on the patient's care team then
    opened_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)  # before its time
    verdict = models.CharField(max_length=9, choices=Verdict, blank=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True)  # the reviewer's
    case_id = models.UUIDField(null=True)  # the Investigation it went to; compliance stands above this app

    objects = RunningViews.as_manager()

    class Phi:
        fields = ("why", "text", "note")
        safe = (
            *("id", "user", "patient", "on_team", "opened_at", "ends_at", "ended_at"),
            *("verdict", "reviewed_at", "reviewed_by", "case_id"),
        )

    class Meta:
        ordering = ("-opened_at", "-id")
        indexes = [models.Index(fields=["user", "patient", "ends_at"], name="emergency_running")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("opened_at")), name="emergency_view_has_a_window"
            ),
            models.CheckConstraint(
                condition=Q(verdict="", reviewed_at=None, reviewed_by=None)
                | ~Q(verdict="") & Q(reviewed_at__isnull=False, reviewed_by__isnull=False),
                name="emergency_review_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(case_id=None) | Q(verdict="escalated"), name="only_an_escalated_view_has_a_case"
            ),
        ]

    def __str__(self) -> str:
        return f"EmergencyAccess/{self.pk}"

    @property
    def is_treating(self) -> bool:
        """Whether it is no emergency, but a reason given by who treats the patient."""
        return self.why == self.Why.TREATING
