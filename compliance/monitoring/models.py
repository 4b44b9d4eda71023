"""What the monitor keeps: how far it read, windows, baselines, what was known before, and alerts."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Cursor(models.Model):
    """How far the log was read, in its own order; one row."""

    seq = models.BigIntegerField(default=0)  # of the next entry (audit.models.LogLeaf)
    xid = models.BigIntegerField(default=0)  # of the last event that was read
    event_id = models.UUIDField(default=uuid.UUID(int=0))
    log_at = models.DateTimeField(null=True)  # the newest time among the events that were read
    ran_at = models.DateTimeField(null=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "seq", "xid", "event_id", "log_at", "ran_at")

    def __str__(self) -> str:
        return f"Cursor/{self.seq}"


class Tally(models.Model):
    """One window: how much of a measure there was of one subject. Thrown away after some weeks."""

    measure = models.CharField(max_length=12)
    kind = models.CharField(max_length=8)  # client, actor, helper, cohort, endpoint, network, log
    subject = models.CharField(max_length=300)
    about = models.CharField(max_length=300, blank=True)
    starts_at = models.DateTimeField()
    count = models.BigIntegerField()
    events = ArrayField(models.UUIDField())  # the newest of them
    learned = models.BooleanField(default=False)  # whether the baseline has it

    class Phi:
        fields = ("about",)
        safe = ("id", "measure", "kind", "subject", "starts_at", "count", "events", "learned")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["measure", "kind", "subject", "about", "starts_at"], name="one_tally_of_a_window"
            )
        ]
        indexes = [
            models.Index(fields=["starts_at"], condition=Q(learned=False), name="tally_to_learn"),
            models.Index(fields=["starts_at"], name="tally_age"),
        ]

    def __str__(self) -> str:
        return f"Tally/{self.pk}"


class Once(models.Model):
    """What counts once in a window: a patient among those whom somebody opened on a day."""

    measure = models.CharField(max_length=12)
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=300)
    starts_at = models.DateTimeField()
    what = models.CharField(max_length=300)

    class Phi:
        fields = ("what",)
        safe = ("id", "measure", "kind", "subject", "starts_at")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["measure", "kind", "subject", "starts_at", "what"], name="once_in_a_window"
            )
        ]
        indexes = [models.Index(fields=["starts_at"], name="once_age")]

    def __str__(self) -> str:
        return f"Once/{self.pk}"


class StoredBaseline(models.Model):
    """What is usual of one subject, or ("*") of all of a kind: `compliance.monitoring.baselines`."""

    measure = models.CharField(max_length=12)
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=300)
    windows = models.FloatField()
    total = models.FloatField()
    squares = models.FloatField()
    hours = ArrayField(models.FloatField(), size=168)
    learned_at = models.DateTimeField()  # the start of the newest window in it

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "measure", "kind", "subject", "windows", "total", "squares", "hours"),
            "learned_at",
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["measure", "kind", "subject"], name="one_baseline_of_a_subject")
        ]

    def __str__(self) -> str:
        return f"StoredBaseline/{self.pk}"


class Known(models.Model):
    """What was so before: a network, that an app read, a change in whom somebody helps."""

    subject = models.CharField(max_length=300)
    fact = models.CharField(max_length=10)
    value = models.CharField(max_length=300, blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Phi:
        fields = ("value",)
        safe = ("id", "subject", "fact", "first_at", "last_at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "fact", "value"], name="known_once")]

    def __str__(self) -> str:
        return f"Known/{self.pk}"


class Alert(models.Model):
    """Something odd, for a person to look at. One alert for a detector and subject until it is closed."""

    class Status(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    class Verdict(models.TextChoices):
        RIGHT = "right"  # it was misuse, or worth the look
        WRONG = "wrong"  # it was nothing

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    detector = models.CharField(max_length=20)
    severity = models.CharField(max_length=6)
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=300)
    about = models.CharField(max_length=300, blank=True)
    starts_at = models.DateTimeField()  # of the newest window in which it was found
    count = models.BigIntegerField()
    limit = models.BigIntegerField()
    against = models.CharField(max_length=7)  # detectors.Against
    mean = models.FloatField()
    windows = models.BigIntegerField()
    events = ArrayField(models.UUIDField(), default=list)
    found_count = models.IntegerField(default=1)  # windows that it was found in
    raised_at = models.DateTimeField()
    found_at = models.DateTimeField()  # the last time
    snoozed_until = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=5, choices=Verdict, blank=True)
    case = models.ForeignKey("compliance.Investigation", models.PROTECT, null=True, related_name="alerts")
    told_at = models.DateTimeField(null=True)  # the patient whom it is about

    class Phi:
        fields = ("about",)
        safe = (
            *("id", "detector", "severity", "status", "kind", "subject", "starts_at", "count", "limit"),
            *("against", "mean", "windows", "events", "found_count", "raised_at", "found_at"),
            *("snoozed_until", "verdict", "case", "told_at"),
        )

    class Meta:
        ordering = ("-raised_at", "-id")
        indexes = [
            models.Index(fields=["-raised_at", "-id"], name="alert_newest"),
            models.Index(fields=["detector", "-raised_at"], name="alert_of_detector"),
            models.Index(fields=["subject", "detector"], name="alert_subject"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["detector", "kind", "subject", "about"],
                condition=Q(status="open"),
                name="one_open_alert",
            ),
        ]

    def __str__(self) -> str:
        return f"Alert/{self.pk}"


class AlertStep(models.Model):
    """The history of an alert. Rows are only ever added."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    what = models.CharField(max_length=16)
    note = models.TextField(blank=True)

    class Phi:
        fields = ("note",)
        safe = ("id", "alert", "at", "by", "what")

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"AlertStep/{self.pk}"


class AlertAction(models.Model):
    """What was done about an alert at once, and how it was taken back: by two people."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="actions")
    act = models.CharField(max_length=16)  # actions.Act
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    ended_count = models.IntegerField(default=0)  # sessions
    undo_asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "alert", "act", "at", "by", "ended_count"),
            *("undo_asked_by", "undone_by", "undone_at"),
        )

    class Meta:
        ordering = ("at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(undone_by=None, undone_at=None)
                | Q(undone_at__isnull=False, undo_asked_by__isnull=False) & ~Q(undone_by=F("undo_asked_by")),
                name="undone_by_a_second_person",
            )
        ]

    def __str__(self) -> str:
        return f"AlertAction/{self.pk}"
