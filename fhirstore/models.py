"""Tables of the embedded FHIR server: resources as served, earlier versions, and the search index.

`server` and `search` read and write them in SQL; the models are the schema and carry the migrations.
What each table is for, and why, is in docs/fhirstore.md.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q


class Resource(models.Model):
    """The current version of one resource, deleted ones included.

    `body` is what a read answers, byte for byte. `terms` holds 64-bit hashes of everything that is
    searched by equality; `fhirstore.terms` says of what.
    """

    key = models.BigAutoField(primary_key=True)  # order of first arrival: pages are walked by it
    type = models.CharField(max_length=40)
    fhir_id = models.CharField(max_length=64)
    version = models.IntegerField()
    last_updated = models.DateTimeField()
    deleted = models.BooleanField(default=False)
    digest = models.BinaryField()  # SHA-256 of the content without versionId and lastUpdated
    patient = models.CharField(max_length=64, null=True)  # noqa: DJ001 (null: none, or several)
    date_low = models.DateTimeField()  # start of the type's main date; year 1 where there is none
    date_high = models.DateTimeField(null=True)  # its end, exclusive; null where there is none
    terms = ArrayField(models.BigIntegerField(), default=list)
    stamp = models.BigIntegerField(null=True)  # see `fhirstore.stamps`
    body = models.TextField()

    class Phi:
        fields = ("fhir_id", "digest", "patient", "date_low", "date_high", "terms", "stamp", "body")
        safe = ("key", "type", "version", "last_updated", "deleted")

    class Meta:
        # One more index, on the main date as a range, stands in migration 0004 in SQL.
        constraints = [
            models.UniqueConstraint(fields=["type", "fhir_id"], name="one_resource_per_id"),
            models.CheckConstraint(condition=Q(version__gte=1), name="versions_start_at_one"),
            models.CheckConstraint(
                condition=Q(deleted=False) | Q(body="", terms=[], patient=None, date_high=None),
                name="a_deleted_resource_holds_nothing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["type", "patient", "date_low", "key"],
                condition=Q(deleted=False),
                name="resource_patient_date",
            ),
            models.Index(fields=["type", "key"], condition=Q(deleted=False), name="resource_type"),
            models.Index(fields=["type", "last_updated", "key"], name="resource_updated"),
            models.Index(
                fields=["type", "date_low", "key"], condition=Q(deleted=False), name="resource_date"
            ),
            GinIndex(fields=["terms"], name="resource_terms"),
        ]

    def __str__(self) -> str:
        return f"{self.type}/{self.key}"


class Version(models.Model):
    """An earlier version of a resource. Rows are added when a resource changes, and never changed."""

    pk = models.CompositePrimaryKey("resource_id", "version")
    resource = models.ForeignKey(Resource, models.PROTECT, related_name="versions", db_index=False)
    type = models.CharField(max_length=40)  # that of the resource, for the history of a type
    version = models.IntegerField()
    last_updated = models.DateTimeField()
    deleted = models.BooleanField()
    digest = models.BinaryField()
    body = models.TextField()

    class Phi:
        fields = ("digest", "body")
        safe = ("resource", "type", "version", "last_updated", "deleted")

    class Meta:
        indexes = [
            models.Index(fields=["type", "last_updated", "resource", "version"], name="version_updated")
        ]

    def __str__(self) -> str:
        return f"Version/{self.resource_id}/{self.version}"


class IndexRow(models.Model):
    """One value of one search parameter. Derived from the body and rewritten with it in the same
    transaction, so a foreign-key check for each row would cost and hold nothing."""

    pk = models.CompositePrimaryKey("resource_id", "param", "ordinal")
    resource = models.ForeignKey(
        Resource, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    param = models.CharField(max_length=80)  # "Condition.onset-date"
    ordinal = models.SmallIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.param}/{self.resource_id}/{self.ordinal}"


class DateRow(IndexRow):
    """A date as the range it covers, `low` inclusive, `high` exclusive. A main date is in Resource."""

    low = models.DateTimeField()
    high = models.DateTimeField()

    class Phi:
        fields = ("low", "high")
        safe = ("resource", "param", "ordinal")

    class Meta:
        indexes = [
            models.Index(fields=["param", "low"], name="date_param_low"),
            models.Index(fields=["param", "high"], name="date_param_high"),
        ]


class StringRow(IndexRow):
    """A string without accents, case and repeated blanks, cut to 200 characters."""

    value = models.CharField(max_length=200)

    class Phi:
        fields = ("value",)
        safe = ("resource", "param", "ordinal")

    class Meta:
        indexes = [
            models.Index(fields=["param", "value"], opclasses=["", "text_pattern_ops"], name="string_prefix")
        ]


class QuantityRow(IndexRow):
    """A number or quantity as the range it covers, both ends inclusive; equal for a plain value.

    Doubles: searches compare with the precision that was asked for, the body keeps the digits.
    """

    low = models.FloatField()
    high = models.FloatField()
    system = models.TextField()
    code = models.TextField()
    unit = models.TextField()

    class Phi:
        fields = ("low", "high", "system", "code", "unit")
        safe = ("resource", "param", "ordinal")

    class Meta:
        indexes = [
            models.Index(fields=["param", "low"], name="quantity_param_low"),
            models.Index(fields=["param", "high"], name="quantity_param_high"),
        ]
