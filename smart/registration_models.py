"""How a client came to be and who looked at it: reviews, and the tokens that let software register itself."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ClientReview(models.Model):
    """A developer asked that an app may work with real records, and what was said to it."""

    class Outcome(models.TextChoices):
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    class Reason(models.TextChoices):
        """Why not. Values are kept in the log: never rename one."""

        NAME = "name", "Its name is not its own, or looks like another's"
        PURPOSE = "purpose", "What it is for is not clear, or not true"
        POLICY = "policy", "Its privacy policy is not there, or does not say what becomes of records"
        SCOPES = "scopes", "It asks for more than it is for"
        ADDRESSES = "addresses", "Its addresses are not those of who makes it"
        OTHER = "other", "Something else"

    client = models.ForeignKey("smart.Client", models.PROTECT, related_name="reviews")
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)  # empty: nobody has said yet
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=9, choices=Reason, blank=True)
    words = models.TextField(blank=True)  # as the developer reads them

    class Phi:
        fields = ("words",)
        safe = ("id", "client", "asked_at", "asked_by", "outcome", "decided_at", "decided_by", "reason")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client"], condition=Q(decided_at=None), name="one_open_review_per_client"
            ),
            models.CheckConstraint(
                condition=Q(outcome="", decided_at=None, decided_by=None)
                | (~Q(outcome="") & Q(decided_at__isnull=False, decided_by__isnull=False)),
                name="a_review_has_a_person_and_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="refused") | ~Q(reason=""), name="a_refusal_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"ClientReview/{self.pk}"


class InitialAccess(models.Model):
    """An initial access token (RFC 7591, 3): whoever holds it may register clients with us."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token, which is 256 bits
    note = models.CharField(max_length=200, blank=True)  # whom it was given to
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "digest", "note", "made_at", "made_by", "expires_at")

    def __str__(self) -> str:
        return f"InitialAccess/{self.pk}"
