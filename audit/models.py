"""The log's three tables. They point at nothing, outlive what they speak of, and only ever grow.

Rows are written by `audit.log` and `audit.sequencer` in plain SQL; triggers and rights
refuse every UPDATE, DELETE and TRUNCATE.
"""

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models


class XidField(models.Field):
    """PostgreSQL's xid8: the 64-bit id of a transaction, which never wraps. Read as int."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)


def _codes() -> ArrayField:
    return ArrayField(models.TextField())


class AuditEvent(models.Model):
    """One decision about, or change to, who may use a patient's record (`audit.log.Entry`).

    Partitioned by month of `recorded_at`; the primary key in the database is (id, recorded_at).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    xid = XidField(db_default=models.Func(function="pg_current_xact_id"))
    recorded_at = models.DateTimeField()
    type = models.TextField()
    outcome = models.TextField()
    actor = models.TextField()
    on_behalf_of = models.TextField()
    role = models.TextField()
    patient = models.TextField()
    client = models.TextField()
    interaction = models.TextField()
    resource_types = _codes()
    categories = _codes()
    purpose = models.TextField()
    reasons = _codes()
    consent = models.TextField()
    consent_number = models.IntegerField(null=True)
    count = models.IntegerField(null=True)
    target = models.TextField()
    correlation_id = models.TextField()
    payload = models.TextField()  # canonical JSON (RFC 8785) of all of the above but xid, and of `detail`
    leaf = models.BinaryField()  # SHA-256(0x00 || payload)
    writer_mac = models.BinaryField()  # HMAC of the leaf: a row inserted by hand has none

    class Phi:
        fields = ("target", "payload")
        safe = (
            *("id", "xid", "recorded_at", "type", "outcome", "actor", "on_behalf_of", "role", "patient"),
            *("client", "interaction", "resource_types", "categories", "purpose", "reasons", "consent"),
            *("consent_number", "count", "correlation_id", "leaf", "writer_mac"),
        )

    class Meta:
        db_table = "audit_event"
        indexes = [
            models.Index(fields=["patient", "-recorded_at", "-id"], name="audit_patient"),
            models.Index(fields=["xid", "id"], name="audit_order"),
            models.Index(fields=["correlation_id"], name="audit_correlation"),
            models.Index(fields=["client", "recorded_at"], name="audit_client"),
        ]

    def __str__(self) -> str:
        return f"AuditEvent/{self.id}"

    @property
    def detail(self) -> dict[str, str | int | bool]:
        return json.loads(self.payload).get("detail", {})


class LogLeaf(models.Model):
    """The place of one event in the Merkle tree."""

    seq = models.BigIntegerField(primary_key=True)  # from 0, without gaps
    event_id = models.UUIDField(db_index=True)
    xid = XidField()  # the event's, so that the last leaf says where to go on
    leaf = models.BinaryField()

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("seq", "event_id", "xid", "leaf")

    class Meta:
        db_table = "log_leaf"

    def __str__(self) -> str:
        return f"LogLeaf/{self.seq}"


class Checkpoint(models.Model):
    """A signed tree head: the log as it stood at `size` leaves."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    frontier = models.BinaryField()  # roots of the perfect subtrees, largest first, 32 bytes each
    note = models.TextField()  # C2SP signed note; what the anchor file holds too
    made_at = models.DateTimeField()

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("size", "root", "frontier", "note", "made_at")

    class Meta:
        db_table = "checkpoint"

    def __str__(self) -> str:
        return f"Checkpoint/{self.size}"
