"""Rows of a launch from inside the portal, and of the sign-in that tokens rest on."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Launch(models.Model):
    """That a person opened an app from one of our pages, and what was on that page.

    The app gets an opaque value and gives it back in its authorization request, once. Only its
    SHA-256 is kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the value, in hexadecimal
    client = models.ForeignKey("smart.Client", models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    patient = models.ForeignKey("accounts.Patient", models.CASCADE, related_name="+")
    # Set: they opened it as this patient's helper, and may answer in no other capacity.
    helper = models.ForeignKey("accounts.RelatedPerson", models.PROTECT, null=True, related_name="+")
    context = models.JSONField(default=dict)  # of the token response, besides `patient`
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    used_at = models.DateTimeField(null=True)

    class Phi:
        fields = ("context",)
        safe = ("id", "digest", "client", "user", "patient", "helper", "created_at", "used_at")

    def __str__(self) -> str:
        return f"Launch/{self.id}"


class StaffAuthorization(models.Model):
    """That a clinician, or a helper, lets an app see one patient's record as they may see it themselves.

    Tokens carry its id as their `authorization_id`. It is no consent and allows nothing by itself:
    what the person may see is decided at each request.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey("smart.Client", models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="+")
    # Set: they are no clinician, and it ends with this relationship.
    helper = models.ForeignKey("accounts.RelatedPerson", models.PROTECT, null=True, related_name="+")
    text_shown = models.TextField(blank=True)
    text_language = models.CharField(max_length=5, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # before its time

    class Phi:
        fields = ("text_shown",)
        safe = (
            *("id", "client", "user", "patient", "helper", "text_language"),
            *("created_at", "ends_at", "ended_at"),
        )

    def __str__(self) -> str:
        return f"StaffAuthorization/{self.id}"

    @classmethod
    def in_force(cls, at: datetime | None = None) -> models.QuerySet["StaffAuthorization"]:
        return cls.objects.filter(Q(ended_at=None), ends_at__gt=at or timezone.now())


class SignIn(models.Model):
    """The sign-in behind a token family: its session, and how the person proved who they are.

    Refresh tokens for `online_access` work as long as the session does.
    """

    token_family = models.UUIDField(primary_key=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, db_index=True)  # of django_session, where it stands too
    acr = models.CharField(max_length=100, blank=True)  # OIDC Core 2; see `smart.identity`
    amr = models.JSONField(default=list)  # RFC 8176
    created_at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("token_family", "user", "session_key", "acr", "amr", "created_at")

    def __str__(self) -> str:
        return f"SignIn/{self.token_family}"
