"""The papers that somebody shows who asks to help: sealed, and destroyed once they were of use."""

import uuid
from collections.abc import Mapping
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Evidence(models.Model):
    """One file. It changes by `consent.evidence` only; the row stays when its content is destroyed."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        SEEN = "seen"  # staff has opened it
        GONE = "gone"  # its content is destroyed

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    relation = models.ForeignKey("accounts.RelatedPerson", models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=20)  # a code of `relationships.EVIDENCE`
    media_type = models.CharField(max_length=20)  # by its bytes
    size = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)  # SHA-256 of the content, in hexadecimal
    content = models.BinaryField(null=True)  # under `secrets.seal`
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    uploaded_at = models.DateTimeField(default=timezone.now)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    gone_at = models.DateTimeField(null=True, blank=True)

    class Phi:
        fields = ("kind", "content", "digest")
        safe = ("id", "relation", "media_type", "size", "status", "uploaded_at", "uploaded_by", "gone_at")

    class Meta:
        verbose_name_plural = "evidence"
        constraints = [
            models.CheckConstraint(
                condition=(Q(status="gone") & Q(content=None) & Q(gone_at__isnull=False))
                | (~Q(status="gone") & Q(content__isnull=False) & Q(gone_at=None)),
                name="gone_evidence_has_no_content",
            )
        ]

    def __str__(self) -> str:
        return f"Evidence/{self.id}"


class Step(StrEnum):
    """Why a paper became what it is. Values are kept in the log: never rename one."""

    LOOKED = "looked"
    REMOVED = "removed"  # by who sent it
    OVER = "over"  # the request was answered so many days ago


S = Evidence.Status
# From a state, for a reason, to a state. What is not here cannot happen.
TRANSITIONS: Mapping[S, Mapping[Step, S]] = {
    S.WAITING: {Step.LOOKED: S.SEEN, Step.REMOVED: S.GONE, Step.OVER: S.GONE},
    S.SEEN: {Step.LOOKED: S.SEEN, Step.REMOVED: S.GONE, Step.OVER: S.GONE},
    S.GONE: {},
}
