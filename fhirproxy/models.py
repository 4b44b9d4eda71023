"""EHRs behind the gate, and proposed changes to a chart."""

import time
import uuid
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts import secrets
from fhirproxy import addresses


class Source(models.Model):
    """One EHR: where it is, how to speak to it, and how much of our time and memory it may take."""

    class Kind(models.TextChoices):
        EMBEDDED = "embedded"  # the FHIR server in this process
        HTTP = "http"  # a FHIR REST server

    class Auth(models.TextChoices):
        NONE = "none"
        BASIC = "basic"
        SMART = "smart"  # SMART Backend Services, private_key_jwt

    class Adapter(models.TextChoices):  # fhirproxy.adapters
        PLAIN = "plain"
        HAPI = "hapi"
        EPIC_LIKE = "epic_like"
        ORACLE_LIKE = "oracle_like"
        ATHENA_LIKE = "athena_like"

    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind)
    base_url = models.URLField(blank=True)
    is_primary = models.BooleanField(default=False)
    adapter = models.CharField(max_length=20, choices=Adapter, default=Adapter.PLAIN)
    auth = models.CharField(max_length=10, choices=Auth, default=Auth.NONE)
    auth_id = models.CharField(max_length=200, blank=True)  # user name or client_id
    secret = models.TextField(blank=True, editable=False)  # encrypted: see keep_secret
    token_url = models.URLField(blank=True)
    scope = models.CharField(max_length=400, default="system/*.rs")
    types = models.TextField(blank=True)  # that it says it has, with spaces between them; empty: not known
    connect_timeout = models.FloatField(default=3)  # seconds
    read_timeout = models.FloatField(default=10)  # seconds between two bytes
    deadline = models.FloatField(default=25)  # seconds for a whole answer, with retries
    max_bytes = models.PositiveIntegerField(default=64 * 1024 * 1024)  # of one answer
    max_pages = models.PositiveSmallIntegerField(default=200)  # of one search
    concurrency = models.PositiveSmallIntegerField(default=8)  # requests at once, in each process
    # Whether people's own pages may show its last answer while it gives none: see `upstream.kept`.
    keep_copies = models.BooleanField(default=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("slug", "name", "kind", "base_url", "is_primary", "adapter", "types"),
            *("auth", "auth_id", "secret", "token_url", "scope"),
            *("connect_timeout", "read_timeout", "deadline", "max_bytes", "max_pages", "concurrency"),
            "keep_copies",
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_primary"],
                condition=models.Q(is_primary=True),
                name="one_primary_source",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="embedded", base_url="")
                | (models.Q(kind="http") & ~models.Q(base_url="")),
                name="base_url_for_http_only",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    connect_timeout__gt=0, read_timeout__gt=0, deadline__gt=0, concurrency__gt=0
                ),
                name="source_limits_are_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"Source/{self.slug}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises ValidationError for an EHR that could not be spoken to safely."""
        self.clean()
        super().save(*args, **kwargs)
        if not self.keep_copies:
            self.copies.all().delete()
        _primary.cache_clear()

    def clean(self) -> None:
        if problem := self.problem():
            raise ValidationError(problem)

    def problem(self) -> str:
        """What is wrong with the way it is set up, as a sentence with the cure; empty where nothing is."""
        if self.slug == "r4":
            return "A source cannot be called r4: /fhir/r4/ is the primary one."
        if self.kind == self.Kind.EMBEDDED:
            return ""
        if self.auth == self.Auth.BASIC and not (self.auth_id and self.secret):
            return "Basic needs auth_id and a password."
        if self.auth == self.Auth.SMART and not (self.auth_id and self.secret and self.token_url):
            return "SMART Backend Services needs auth_id (the client_id), a private key and token_url."
        urls = [self.base_url, *([self.token_url] if self.token_url else [])]
        plain = frozenset(settings.EHR_PLAIN_HOSTS)
        return next(filter(None, (addresses.problem(u, plain, any_plain=settings.DEMO) for u in urls)), "")

    def keep_secret(self, secret: str) -> None:
        """The password, or the private key as a JWK; encrypted, and to be saved by the caller."""
        self.secret = secrets.encrypt(secret)

    def open_secret(self) -> str:
        """Raises `cryptography.fernet.InvalidToken` where FIELD_KEY is another one by now."""
        return secrets.decrypt(self.secret)

    def serves(self, resource_type: str) -> bool:
        """Whether it has the type at all, by its own statement; where that is not known, it may."""
        return not self.types or resource_type in self.types.split()

    @property
    def fhir_url(self) -> str:
        """Our own base for it, by which links in our answers begin."""
        return settings.FHIR_BASE_URL if self.is_primary else f"{settings.BASE_URL}/fhir/{self.slug}/r4"

    @classmethod
    def primary(cls) -> "Source":
        """The EHR behind /fhir/r4/. Read once a process and minute: where an EHR is, is no decision."""
        return _primary(int(time.monotonic() // 60))


@lru_cache(maxsize=1)
def _primary(_minute: int) -> Source:
    return Source.objects.get(is_primary=True)


class LastCopy(models.Model):
    """What an EHR last answered to one question about one patient; read and written by `upstream.kept`."""

    source = models.ForeignKey(Source, models.CASCADE, related_name="copies")
    patient = models.ForeignKey("accounts.Patient", models.CASCADE, related_name="+")
    request = models.CharField(max_length=64)  # SHA-256 of the question
    at = models.DateTimeField()  # when it was asked
    content = models.TextField()  # encrypted

    class Phi:
        fields = ("content",)
        safe = ("id", "source", "patient", "request", "at")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "patient", "request"], name="one_copy_per_question")
        ]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"LastCopy/{self.pk}"


class WriteCommand(models.Model):
    """One proposed change to a chart. Its history is in `events`; `status` is the last of it."""

    class Status(models.TextChoices):
        RECEIVED = "received"
        VALIDATED = "validated"
        AWAITING_REVIEW = "awaiting_review"
        SENT_BACK = "sent_back"
        APPROVED = "approved"
        SUBMITTING = "submitting"
        APPLIED = "applied"
        CONFLICT = "conflict"
        REJECTED = "rejected"
        FAILED = "failed"
        UNKNOWN = "unknown"  # the answer was lost; found out by search, never sent again blindly
        CANCELLED = "cancelled"
        BLOCKED = "blocked"  # the consent ended before it was sent

    class Channel(models.TextChoices):
        PORTAL = "portal"
        SMART = "smart"  # FHIR, by an app
        API = "api"

    class Origin(models.TextChoices):
        """Where the fact comes from."""

        MEASURED = "measured"
        REMEMBERED = "remembered"
        DOCUMENT = "document"
        DEVICE = "device"
        SOFTWARE = "software"  # suggested by software, see `suggested_from`

    class Risk(models.IntegerChoices):
        """How soon a clinician has to look: kinds.toml says it of a kind, and of a measure beyond a limit."""

        LOW = 1
        MEDIUM = 2
        HIGH = 3

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="write_commands")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    on_behalf_of = models.CharField(max_length=255, blank=True)  # Patient/…, where a helper acts
    client = models.ForeignKey("smart.Client", models.PROTECT, null=True, related_name="+")
    client_version = models.CharField(max_length=40, blank=True)  # as it says itself
    consent = models.ForeignKey("consent.Consent", models.PROTECT, null=True, related_name="+")
    consent_number = models.PositiveIntegerField(null=True)  # in force when it was submitted
    source = models.ForeignKey(Source, models.PROTECT, related_name="+")
    channel = models.CharField(max_length=20, choices=Channel)
    kind = models.CharField(max_length=40, blank=True)  # a row of writes/kinds.toml,
    schema = models.PositiveSmallIntegerField(default=1)  # and its version then
    interaction = models.CharField(max_length=10)  # FHIR restful-interaction: create, update
    resource_type = models.CharField(max_length=40)
    risk = models.PositiveSmallIntegerField(choices=Risk, default=Risk.MEDIUM)
    resource = models.TextField()  # the proposed resource, as FHIR JSON
    proposed = models.TextField(blank=True)  # as its author sent it, where a clinician changed it
    also = models.TextField(blank=True)  # what is made together with it: see writes/together.py
    target = models.CharField(max_length=300, blank=True)  # of an update: Observation/1,
    base_version = models.CharField(max_length=100, blank=True)  # the version that its author saw,
    base = models.TextField(blank=True)  # and what it said
    encounter = models.CharField(max_length=300, blank=True)  # Encounter/1, where it belongs to one
    origin = models.CharField(max_length=20, choices=Origin, default=Origin.MEASURED)
    suggested_from = models.CharField(max_length=300, blank=True)  # what software took it from
    transformations = models.JSONField(default=list)  # codes of what was changed on the way in
    noted_at = models.DateTimeField(null=True)  # by the clock of who wrote it, for drafts made offline
    idempotency_scope = models.CharField(max_length=80)  # who the key belongs to
    idempotency_key = models.CharField(max_length=255)
    has_key = models.BooleanField(default=True)  # false: we made one, since the sender had none
    body_sha256 = models.CharField(max_length=64)
    outcome = models.JSONField(null=True)  # the first answer to an app: {status, headers, body}
    status = models.CharField(max_length=16, choices=Status, default=Status.RECEIVED)
    passed_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=40, blank=True)  # code of why it was not added
    result = models.CharField(max_length=512, blank=True)  # Observation/1/_history/1, once applied
    provenance = models.CharField(max_length=300, blank=True)  # Provenance/1, written with it
    undoes = models.ForeignKey("self", models.PROTECT, null=True, related_name="undone_by")
    created_at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields = (
            *("resource", "proposed", "also", "result", "base", "target", "encounter", "suggested_from"),
            *("outcome", "provenance"),
        )
        safe = (
            *("id", "patient", "author", "on_behalf_of", "client", "client_version"),
            *("consent", "consent_number", "source", "channel", "kind", "schema", "interaction"),
            *("resource_type", "base_version", "origin", "transformations", "noted_at"),
            *("idempotency_scope", "idempotency_key", "has_key", "body_sha256"),
            *("risk", "passed_to", "status", "reviewer", "reason", "undoes", "created_at"),
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_scope", "idempotency_key"], name="one_command_per_key"
            )
        ]
        indexes = [
            models.Index(fields=["status", "created_at"]),
            models.Index(fields=["source", "target"], name="write_target", condition=~models.Q(target="")),
        ]

    def __str__(self) -> str:
        return f"WriteCommand/{self.id}"


class WriteEvent(models.Model):
    """One step of a command. Only ever added."""

    command = models.ForeignKey(WriteCommand, models.PROTECT, related_name="events")
    status = models.CharField(max_length=16, choices=WriteCommand.Status)
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=40, blank=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "command", "status", "at", "by", "reason")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"WriteEvent/{self.pk}"
