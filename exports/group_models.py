"""Groups of patients, and which client may export which of them for what."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from consent.vocabulary import Purpose


class Group(models.Model):
    """Patients who are exported together: a FHIR Group of persons. The id is public, and FHIR's own.

    A list names its members. A rule finds them anew at each export: by the EHR that knows them, and when
    they were born; an empty rule is everybody.
    """

    class Kind(models.TextChoices):
        LIST = "list"
        RULE = "rule"

    id = models.CharField(primary_key=True, max_length=64)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.LIST)
    source = models.SlugField(max_length=40, blank=True)  # rule: Source.slug; empty: any
    born_from = models.DateField(null=True, blank=True)  # rule: on that day or later
    born_until = models.DateField(null=True, blank=True)  # rule: on that day or sooner
    is_active = models.BooleanField(default=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "name", "kind", "source", "born_from", "born_until", "is_active", "made_at", "made_by"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="rule") | Q(source="", born_from=None, born_until=None),
                name="a_list_of_patients_has_no_rule",
            ),
        ]

    def __str__(self) -> str:
        return f"Group/{self.pk}"


class GroupMember(models.Model):
    """A patient on a group's list."""

    group = models.ForeignKey(Group, models.PROTECT, related_name="listed")
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "group", "patient", "added_at")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "patient"], name="one_place_on_a_list")]

    def __str__(self) -> str:
        return f"GroupMember/{self.pk}"


class GroupApproval(models.Model):
    """An administrator's yes: this client may export this group, for this purpose.

    Of a large group it holds only once a second person said so too (`exports.bulk.approvals`).
    """

    class Purpose(models.TextChoices):
        """Why a system may be given records without the patient's asking."""

        TREAT = Purpose.TREAT.value, "Treatment"
        HPAYMT = Purpose.HPAYMT.value, "Payment"
        HOPERAT = Purpose.HOPERAT.value, "Operations"
        HRESCH = Purpose.HRESCH.value, "Research"

    group = models.ForeignKey(Group, models.PROTECT, related_name="approvals")
    client = models.ForeignKey("smart.Client", models.PROTECT, related_name="group_approvals")
    purpose = models.CharField(max_length=10, choices=Purpose)
    approved_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    seconded_at = models.DateTimeField(null=True)
    seconded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "group", "client", "purpose", "approved_at", "approved_by"),
            *("seconded_at", "seconded_by", "ended_at", "ended_by"),
        )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "client"],
                condition=Q(ended_at=None),
                name="one_approval_per_group_and_client",
            ),
            models.CheckConstraint(
                condition=Q(seconded_at=None, seconded_by=None)
                | (
                    Q(seconded_at__isnull=False, seconded_by__isnull=False) & ~Q(seconded_by=F("approved_by"))
                ),
                name="a_second_person_is_another",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="an_approval_that_ended_says_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"GroupApproval/{self.pk}"
