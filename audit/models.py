"""The log's tables. They point at nothing, outlive what they speak of, and only ever grow.

Rows are written by `audit.log` and `audit.sequencer` in plain SQL; triggers and rights
refuse every UPDATE, DELETE and TRUNCATE. `DetailKey` alone may lose rows: that is what it is for.
"""

from typing import Any

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


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
    # Canonical JSON (RFC 8785) of all of the above but xid; of `detail`, `context` and `sealed`
    # (audit.context).
    payload = models.TextField()
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
        return msgspec.json.decode(self.payload).get("detail", {})

    @property
    def context(self) -> dict[str, str | int]:
        """Device class, coarse network, milliseconds and page, where the event came from a request."""
        return msgspec.json.decode(self.payload).get("context", {})


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


class LogNode(models.Model):
    """The root of 256**n leaves, so that a proof reads hundreds of hashes and not all of the log."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.SmallIntegerField()  # 8, 16, 24, ...: 2**level leaves stand below it
    index = models.BigIntegerField()  # among those of its level, from 0
    hash = models.BinaryField()

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("level", "index", "hash")

    class Meta:
        db_table = "log_node"

    def __str__(self) -> str:
        return f"LogNode/{self.level}/{self.index}"


class Anchor(models.Model):
    """A checkpoint that a target outside this database has taken; from a witness, with its cosignature."""

    target = models.TextField()  # "witness <name>" or "bucket <name>"
    size = models.BigIntegerField()
    note = models.TextField()
    at = models.DateTimeField(db_default=Now())

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "target", "size", "note", "at")

    class Meta:
        db_table = "audit_anchor"
        indexes = [models.Index(fields=["target", "-size"], name="audit_anchor_newest")]

    def __str__(self) -> str:
        return f"Anchor/{self.id}"


class Journal(models.Model):
    """One file of a writer's journal: that it was seen, and that it was thrown away when all of it was
    sealed."""

    pk = models.CompositePrimaryKey("name", "state")
    name = models.TextField()
    state = models.TextField()  # "seen" or "pruned"
    lines = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now())

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("name", "state", "lines", "at")

    class Meta:
        db_table = "audit_journal"

    def __str__(self) -> str:
        return f"Journal/{self.name}"


class LogState(models.Model):
    """How the log stands (`audit.health`); the newest row tells."""

    state = models.TextField()
    holds = models.BooleanField()  # whether changes and releases wait for an acknowledgement
    what = models.TextField()
    kept = models.BigIntegerField(null=True)  # entries that are there
    expected = models.BigIntegerField(null=True)  # entries that an anchor, a witness or a journal knows of
    at = models.DateTimeField(db_default=Now())

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "state", "holds", "what", "kept", "expected", "at")

    class Meta:
        db_table = "audit_state"

    def __str__(self) -> str:
        return f"LogState/{self.id}"


class DetailKey(models.Model):
    """What opens the erasable detail of one subject's events, together with FIELD_KEY; deleted, nothing
    does."""

    id = models.UUIDField(primary_key=True, editable=False)
    subject = models.TextField(db_index=True)  # "Patient/..." or, where no patient is named, the actor
    salt = models.BinaryField()  # 32 random bytes

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "subject", "salt")

    class Meta:
        db_table = "audit_key"

    def __str__(self) -> str:
        return f"DetailKey/{self.id}"
