"""People: who signs in, whose record it is, who helps whom, and what staff may be."""

import uuid
from datetime import date

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.elevation_models import Elevation as Elevation
from accounts.evidence_models import Evidence as Evidence
from accounts.legal_models import DeathSign as DeathSign
from accounts.legal_models import LegalChange as LegalChange
from accounts.sign_in_models import ActivationCode as ActivationCode
from accounts.sign_in_models import Device as Device
from accounts.support_models import SupportCode as SupportCode


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]
    """A person who signs in: patient, helper, clinician or staff, or several of these."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    language = models.CharField(max_length=5, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(max_length=50, blank=True)  # empty: the clinic's
    asks_first = models.BooleanField(default=False)  # before results that no clinician has looked at
    is_active = models.BooleanField(default=True)
    # Fewer than `passwords.ALONE` characters: only beside a second factor.
    has_short_password = models.BooleanField(default=False)
    closes_at = models.DateTimeField(null=True, blank=True)  # asked for by its owner: `consent.leaving`
    is_staff = models.BooleanField(default=False)  # may open the compliance console
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Phi:
        fields = ("email", "name", "password")
        safe = [
            "id",
            "language",
            "time_zone",
            "asks_first",
            "is_active",
            "closes_at",
            "has_short_password",
            "is_staff",
            "is_superuser",
            "date_joined",
            "last_login",
            "groups",
            "user_permissions",
        ]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self) -> str:
        return f"User/{self.id}"


class Patient(models.Model):
    """A person with a record. `user` is empty for those who do not sign in, as children."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="patient"
    )
    name = models.CharField(max_length=200)
    birth_date = models.DateField()
    created_at = models.DateTimeField(default=timezone.now)
    jurisdiction = models.CharField(max_length=8, blank=True)  # whose law on minors; empty: the clinic's
    emancipated_on = models.DateField(null=True, blank=True)  # a minor whom the law treats as of age
    incapable_since = models.DateField(null=True, blank=True)  # cannot decide for themself, as staff found
    died_on = models.DateField(null=True, blank=True)  # as the clinic recorded it: `consent.leaving`
    watched_since = models.DateTimeField(null=True, blank=True)  # staff need a reason: `consent.watching`
    is_test = models.BooleanField(default=False)  # made up: apps that nobody has looked at work with it
    # Set: the row is all that is left, and the record is that of another row (`consent.merging`).
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")

    class Phi:
        fields = ("name", "birth_date", "emancipated_on", "incapable_since", "died_on", "watched_since")
        safe = ("id", "user", "created_at", "jurisdiction", "is_test", "merged_into")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(merged_into=None) | (~Q(merged_into=F("id")) & Q(user=None)),
                name="a_merged_patient_signs_in_as_another",
            )
        ]

    def __str__(self) -> str:
        return f"Patient/{self.id}"

    def age_on(self, day: date) -> int:
        before_birthday = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - before_birthday


class LivingIdentities(models.Manager["PatientIdentity"]):
    def get_queryset(self) -> models.QuerySet["PatientIdentity"]:
        return super().get_queryset().filter(ended_at=None)


class PatientIdentity(models.Model):
    """The same patient in one EHR: (patient, source, FHIR id).

    `objects`, and so `patient.identities`, has the living ones only. A lookup that spans relations
    (`identities__source`) does not pass through it: it must say `identities__ended_at=None`.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="identities")
    source = models.SlugField(max_length=40)  # Source.slug; fhirproxy stands above this app
    fhir_id = models.CharField(max_length=255)
    linked_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)  # why: its IdentityMatch, and the log

    objects = LivingIdentities()
    ever = models.Manager["PatientIdentity"]()

    class Phi:
        fields = ("fhir_id",)
        safe = ("id", "patient", "source", "linked_at", "ended_at")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "fhir_id"],
                condition=Q(ended_at=None),
                name="one_patient_per_identity",
            ),
            models.UniqueConstraint(
                fields=["patient", "source"],
                condition=Q(ended_at=None),
                name="one_identity_per_source",
            ),
        ]

    def __str__(self) -> str:
        return f"PatientIdentity/{self.pk}"


class IdentityMatch(models.Model):
    """That a record at an EHR may be a patient's: what spoke for it, and what became of it.

    `agreed` and `differed` are codes of `matching.Field`; the values that were compared are not kept.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        LINKED = "linked"
        REFUSED = "refused"
        UNDONE = "undone"

    class Method(models.TextChoices):
        AUTOMATIC = "automatic"  # the verdict was a match
        PERSON = "person"  # a member of staff looked
        SURVIVOR = "survivor"  # the EHR merged its record into this one
        MERGE = "merge"  # it came with another of our patients

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="matches")
    identity = models.ForeignKey(
        PatientIdentity, models.PROTECT, null=True, blank=True, related_name="matches"
    )
    source = models.SlugField(max_length=40)
    fhir_id = models.CharField(max_length=255)
    verdict = models.CharField(max_length=14)  # matching.Verdict
    agreed = models.JSONField(default=list)
    differed = models.JSONField(default=list)
    status = models.CharField(max_length=8, choices=Status, default=Status.PROPOSED)
    method = models.CharField(max_length=9, choices=Method, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)  # in a person's own words

    class Phi:
        fields = ("fhir_id", "reason")
        safe = (
            *("id", "patient", "identity", "source", "verdict", "agreed", "differed", "status", "method"),
            *("made_at", "made_by", "decided_at", "decided_by"),
        )

    class Meta:
        verbose_name_plural = "identity matches"
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "source", "fhir_id"],
                condition=Q(status="proposed"),
                name="one_open_match_per_record",
            )
        ]

    def __str__(self) -> str:
        return f"IdentityMatch/{self.id}"


class RelatedPerson(models.Model):
    """A helper's relationship to a patient, named as in FHIR R4 RelatedPerson.

    What the helper may see is a Consent, which stands above this app; this row says
    who they are to each other, on what ground, and until when. It changes by `accounts.relations` only.
    """

    class Relationship(models.TextChoices):  # HL7 v3 RoleCode
        PARENT = "PRN"
        SPOUSE = "SPS"
        CHILD = "CHILD"
        GUARDIAN = "GUARD"
        FRIEND = "FRND"

    class Status(models.TextChoices):
        ASKED = "asked"
        CONFIRMED = "confirmed"
        DENIED = "denied"
        NARROWED = "narrowed"
        ENDED = "ended"
        EXPIRED = "expired"
        REVOKED = "revoked"

    class Basis(models.TextChoices):
        """On what ground; what each asks for stands in relationships.toml."""

        CHOICE = "choice"  # the patient chose them
        PARENT = "parent"  # parental authority over a minor
        GUARDIAN = "guardian"  # a court said so
        ATTORNEY = "attorney"  # a power of attorney for health
        CAPACITY = "capacity"  # the patient cannot decide for themself
        ESTATE = "estate"  # the personal representative of somebody who died, 45 CFR 164.502(g)(4)

    class Level(models.TextChoices):
        VISITS = "visits"
        DAILY = "daily"
        MOST = "most"
        OWN = "own"  # categories that were chosen one by one

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="helpers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="helps")
    relationship = models.CharField(max_length=8, choices=Relationship)
    basis = models.CharField(max_length=8, choices=Basis, default=Basis.CHOICE)
    level = models.CharField(max_length=6, choices=Level, default=Level.OWN)
    may_share = models.BooleanField(default=False)  # save copies, and connect apps
    may_write = models.BooleanField(default=False)  # send things to the clinic for the patient
    evidence = models.JSONField(default=list)  # codes of relationships.toml: what was shown
    status = models.CharField(max_length=12, choices=Status, default=Status.ASKED)
    reason = models.CharField(max_length=20, blank=True)  # a code of `relations.TRANSITIONS`
    version = models.PositiveIntegerField(default=0)  # of two who change it at once, the second is refused
    period_start = models.DateTimeField(default=timezone.now)
    period_end = models.DateTimeField(null=True, blank=True)
    review_at = models.DateTimeField(null=True, blank=True)  # from then it holds after a new approval only

    class Phi:
        fields = ("relationship", "basis", "evidence")
        safe = (
            *("id", "patient", "user", "level", "may_share", "may_write", "status", "reason", "version"),
            *("period_start", "period_end", "review_at"),
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "user"],
                condition=Q(status__in=["asked", "confirmed", "narrowed"]),
                name="one_living_relationship_per_pair",
            ),
            models.CheckConstraint(
                condition=Q(period_end=None) | Q(period_end__gt=F("period_start")),
                name="relationship_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"RelatedPerson/{self.id}"


class RelatedPersonChange(models.Model):
    """One step of a relationship: rows are only ever added; the database refuses anything else."""

    relation = models.ForeignKey(RelatedPerson, models.PROTECT, related_name="changes")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=RelatedPerson.Status)
    reason = models.CharField(max_length=20)
    level = models.CharField(max_length=6)
    period_end = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)  # in a member of staff's own words

    class Phi:
        fields = ("note",)
        safe = ("id", "relation", "number", "status", "reason", "level", "period_end", "made_at", "made_by")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["relation", "number"], name="one_row_per_step")]

    def __str__(self) -> str:
        return f"RelatedPersonChange/{self.pk}"


class HelperInvitation(models.Model):
    """A patient's invitation by a one-time code, and what it will let the one who enters it do."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="invitations")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    relationship = models.CharField(max_length=8, choices=RelatedPerson.Relationship)
    level = models.CharField(max_length=6, choices=RelatedPerson.Level)
    categories = models.JSONField(default=list)  # codes of data categories
    may_share = models.BooleanField(default=False)
    may_write = models.BooleanField(default=False)
    until = models.DateTimeField()
    text_shown = models.TextField(blank=True)  # word for word what the patient agreed to
    text_language = models.CharField(max_length=5, blank=True)
    digest = models.CharField(max_length=64, unique=True)  # HMAC-SHA256 of the code, in hexadecimal
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    relation = models.ForeignKey(RelatedPerson, models.PROTECT, null=True, related_name="invitations")

    class Phi:
        fields = ("relationship", "text_shown", "digest")
        safe = (
            *("id", "patient", "made_by", "level", "categories", "may_share", "may_write", "until"),
            "text_language",
            *("made_at", "expires_at", "taken_at", "cancelled_at", "relation"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(taken_at=None, relation=None) | Q(taken_at__isnull=False, relation__isnull=False),
                name="taken_invitation_has_its_relation",
            )
        ]

    def __str__(self) -> str:
        return f"HelperInvitation/{self.id}"


class CodeAttempt(models.Model):
    """That somebody entered a code that is none: who does so too often has to wait."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "user", "at")

    class Meta:
        indexes = [models.Index(fields=["user", "at"], name="code_attempt_by_user")]

    def __str__(self) -> str:
        return f"CodeAttempt/{self.pk}"


class StaffRole(models.Model):
    """What one member of staff may be; what a role may do is a Cedar policy in `consent`."""

    class Role(models.TextChoices):
        CLINICIAN = "clinician"
        BILLING = "billing"
        SUPPORT = "support"
        COMPLIANCE = "compliance"
        PRIVACY_OFFICER = "privacy_officer"
        ADMINISTRATOR = "administrator"
        APP_REVIEWER = "app_reviewer"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="staff_roles")
    role = models.CharField(max_length=20, choices=Role)
    practitioner = models.CharField(max_length=255, blank=True)  # Practitioner/id in the EHR
    since = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "user", "role", "practitioner", "since")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_row_per_role")]

    def __str__(self) -> str:
        return f"StaffRole/{self.pk}"
