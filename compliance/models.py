"""What compliance works on: questions about events, and requests for the accounting of disclosures.

Rows of the log stay where they are; an investigation names them by id and day, which is all that is
needed to find them again, and to keep the month that they are in.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from compliance.monitoring import models as monitoring  # noqa: F401  Django finds its tables here


class Investigation(models.Model):
    """Somebody does not know an event, or an alert or a search showed some that ask for a closer look."""

    class Origin(models.TextChoices):
        PATIENT = "patient"
        ALERT = "alert"
        SEARCH = "search"

    class Status(models.TextChoices):
        RECEIVED = "received"
        LOOKING = "looking"
        ANSWERED = "answered"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    origin = models.CharField(max_length=7, choices=Origin)
    status = models.CharField(max_length=8, choices=Status, default=Status.RECEIVED)
    patient = models.ForeignKey(  # null: it is about a person of the staff, or about many patients
        "accounts.Patient", models.PROTECT, null=True, related_name="investigations"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    question = models.TextField(blank=True)  # in the patient's own words
    answer = models.TextField(blank=True)  # as the patient reads it
    answered_at = models.DateTimeField(null=True)
    search = models.JSONField(default=dict)  # the fields of the search that it was saved from
    hold = models.BooleanField(default=False)  # its events must not be dropped: a legal hold

    class Phi:
        fields = ("question", "answer", "search")
        safe = (
            *("id", "origin", "status", "patient", "opened_at", "opened_by", "assigned_to"),
            *("answered_at", "hold"),
        )

    class Meta:
        ordering = ("-opened_at", "-id")
        indexes = [models.Index(fields=["-opened_at", "-id"], name="investigation_newest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at=None, answer="") | Q(answered_at__isnull=False) & ~Q(answer=""),
                name="answer_and_answered_at_go_together",
            ),
        ]

    def __str__(self) -> str:
        return f"Investigation/{self.pk}"


class InvestigatedEvent(models.Model):
    """One row of the log that an investigation is about."""

    investigation = models.ForeignKey(Investigation, models.PROTECT, related_name="events")
    event_id = models.UUIDField()
    recorded_at = models.DateTimeField()  # the event's own: it says which month must be kept

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "investigation", "event_id", "recorded_at")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["investigation", "event_id"], name="event_once_in_investigation"),
        ]

    def __str__(self) -> str:
        return f"InvestigatedEvent/{self.pk}"


class InvestigationStep(models.Model):
    """The history of an investigation. Rows are only ever added."""

    investigation = models.ForeignKey(Investigation, models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    what = models.CharField(max_length=12)  # a status, "assigned", "note", "hold", "hold-ended", "event"
    note = models.TextField(blank=True)  # for colleagues; the patient never reads it

    class Phi:
        fields = ("note",)
        safe = ("id", "investigation", "at", "by", "what")

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"InvestigationStep/{self.pk}"


class DisclosureRequest(models.Model):
    """A patient asks for the accounting of disclosures (45 CFR 164.528)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="disclosure_requests")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()  # 60 days on, and once 30 more
    extended_at = models.DateTimeField(null=True)
    extension_reason = models.TextField(blank=True)  # as the patient reads it
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Phi:
        fields = ("extension_reason",)
        safe = (
            *("id", "patient", "requested_by", "requested_at", "due_at", "extended_at"),
            *("answered_at", "answered_by"),
        )

    class Meta:
        ordering = ("-requested_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["patient"], condition=Q(answered_at=None), name="one_open_disclosure_request"
            ),
            models.CheckConstraint(
                condition=Q(answered_at=None, answered_by=None)
                | Q(answered_at__isnull=False, answered_by__isnull=False),
                name="answered_at_and_answered_by_go_together",
            ),
            models.CheckConstraint(
                condition=Q(extended_at=None, extension_reason="")
                | Q(extended_at__isnull=False) & ~Q(extension_reason=""),
                name="extended_at_and_its_reason_go_together",
            ),
        ]

    def __str__(self) -> str:
        return f"DisclosureRequest/{self.pk}"
