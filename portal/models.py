"""What people began on pages and did not finish."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Draft(models.Model):
    """The answers of one form of several pages, kept under encryption until it is sent (`portal.drafts`).

    Once it was sent no answer is left in it: it only says what came of it, so that a form which comes
    twice is done once.
    """

    class Form(models.TextChoices):
        SHARE = "share"  # `portal.share_steps`
        WRONG = "wrong"  # these are sent to the clinic: `portal.sending`
        DISAGREE = "disagree"
        READING = "reading"
        MESSAGE = "message"
        VISIT = "visit"
        ANSWERS = "answers"
        CONTACT = "contact"
        DOCUMENT = "document"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts")
    patient = models.ForeignKey("accounts.Patient", models.CASCADE, related_name="drafts")
    form = models.CharField(max_length=20, choices=Form)
    sealed = models.TextField(blank=True)  # the answers, encrypted
    version = models.PositiveIntegerField(default=1)  # how often it was saved
    outcome = models.CharField(max_length=60, blank=True)  # what was made of it: "Consent/<uuid>"
    saved_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Phi:
        fields = ("sealed",)
        safe = ("id", "owner", "patient", "form", "version", "outcome", "saved_at", "expires_at")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="") | Q(sealed=""), name="a_finished_draft_keeps_no_answers"
            )
        ]
        indexes = [models.Index(fields=["expires_at"], name="draft_due_to_be_deleted")]

    def __str__(self) -> str:
        return f"Draft/{self.id}"
