"""SMART Health Links: what a person shares by QR code, the files behind it, and who says they opened it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

MOST_ATTEMPTS = 10  # wrong passcodes in the life of a link


class HealthLink(models.Model):
    """One link. It rests on a consent: a share with `Group/<its id>`, which is whoever has the link.

    The key of its files is in the link that the person has, and in no row. Only of a link whose content is
    made anew at each opening the server keeps it, sealed, until the link ends.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    consent = models.OneToOneField("consent.Consent", models.PROTECT, related_name="health_link")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    helper = models.ForeignKey(  # set: made by somebody who acts for the patient
        "accounts.RelatedPerson", models.PROTECT, null=True, related_name="health_links"
    )
    label = models.CharField(max_length=80, blank=True)
    address_hash = models.CharField(max_length=64, unique=True)  # SHA-256 of the random part of its URL
    is_live = models.BooleanField(default=False)  # made anew at each opening; else as it was at first
    is_direct = models.BooleanField(default=False)  # flag U: one encrypted file by GET
    sealed = models.TextField(blank=True)  # of a live one: address and key
    passcode_hash = models.CharField(max_length=128, blank=True)
    attempts_left = models.PositiveSmallIntegerField(default=MOST_ATTEMPTS)
    opens_left = models.PositiveIntegerField(null=True)  # null: as often as anybody wants
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Phi:
        fields = ("label", "sealed")
        safe = (
            *("id", "consent", "made_by", "helper", "address_hash", "is_live", "is_direct", "passcode_hash"),
            *("attempts_left", "opens_left", "created_at", "ended_at"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(sealed="", passcode_hash=""),
                name="an_ended_health_link_keeps_no_secret",
            ),
            models.CheckConstraint(
                condition=Q(is_direct=False) | Q(passcode_hash=""),
                name="a_direct_health_link_has_no_passcode",
            ),
        ]

    def __str__(self) -> str:
        return f"HealthLink/{self.id}"

    @property
    def stands(self) -> bool:
        """Whether it holds at all: not ended, not paused, not locked by wrong passcodes."""
        return self.ended_at is None and self.consent.is_active and self.attempts_left > 0

    @property
    def can_be_opened(self) -> bool:
        return self.stands and self.opens_left != 0


class HealthLinkFile(models.Model):
    """One encrypted file (a JWE in compact form): what the link shows, or what stands for an hour at most
    at an address of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(HealthLink, models.PROTECT, related_name="files")
    opening = models.ForeignKey("exports.HealthLinkOpening", models.PROTECT, null=True, related_name="+")
    address_hash = models.CharField(max_length=64, blank=True)  # empty: it has none
    body = models.TextField()
    basis = models.CharField(max_length=64)  # what it was decided by, see `exports.shl.content.basis_of`
    made_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)

    class Phi:
        fields = ("body",)
        safe = ("id", "link", "opening", "address_hash", "basis", "made_at", "ends_at")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["address_hash"], condition=~Q(address_hash=""), name="one_file_at_an_address"
            ),
            models.CheckConstraint(
                condition=Q(address_hash="", ends_at=None) | (~Q(address_hash="") & Q(ends_at__isnull=False)),
                name="an_address_of_a_file_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"HealthLinkFile/{self.id}"


class HealthLinkOpening(models.Model):
    """Somebody opened a link, or tried to. Who they are is what they said, and nobody checked it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(HealthLink, models.PROTECT, related_name="openings")
    recipient = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)
    opened = models.BooleanField()

    class Phi:
        fields = ("recipient",)
        safe = ("id", "link", "at", "opened")

    def __str__(self) -> str:
        return f"HealthLinkOpening/{self.id}"
