"""What the clinic found of a patient before the law, and what an EHR says of their life."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class LegalChange(models.Model):
    """One finding, with what staff saw for it: rows are only ever added; the database refuses anything else.

    It is written by `consent.legal` only; what holds now stands in the patient's row.
    """

    class What(models.TextChoices):
        EMANCIPATED = "emancipated"  # a minor whom the law treats as of age: since a day
        JURISDICTION = "jurisdiction"  # whose law holds: a code of jurisdictions.toml
        CAPACITY = "capacity"  # cannot decide for themself: since a day

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="legal_changes")
    what = models.CharField(max_length=12, choices=What)
    value = models.CharField(max_length=10, blank=True)  # a day, or a code; empty: it was taken back
    evidence = models.CharField(max_length=200)  # what was seen, and where it is kept
    reason = models.CharField(max_length=500)  # in a member of staff's own words
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Phi:
        fields = ("value", "evidence", "reason")
        safe = ("id", "patient", "what", "made_at", "made_by")

    def __str__(self) -> str:
        return f"LegalChange/{self.id}"


class DeathSign(models.Model):
    """An EHR says that a patient has died. Staff looks; nothing closes by it (`accounts.deaths`)."""

    class Verdict(models.TextChoices):
        DIED = "died"
        LIVES = "lives"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="death_signs")
    source = models.SlugField(max_length=40)
    seen_at = models.DateTimeField(default=timezone.now)
    verdict = models.CharField(max_length=5, choices=Verdict, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "patient", "source", "seen_at", "verdict", "settled_at", "settled_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "source"], condition=Q(settled_at=None), name="one_open_death_sign"
            ),
            models.CheckConstraint(
                condition=Q(settled_at=None, settled_by=None, verdict="")
                | (Q(settled_at__isnull=False, settled_by__isnull=False) & ~Q(verdict="")),
                name="settled_death_sign_has_a_verdict",
            ),
        ]

    def __str__(self) -> str:
        return f"DeathSign/{self.id}"
