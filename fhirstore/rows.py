"""The SQL that writes resources: every statement takes columns as arrays, so one does for any number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhirstore.index import Index, main_date_columns

LOCK = """
SELECT type, fhir_id, key, version, deleted, digest, last_updated FROM fhirstore_resource
WHERE (type, fhir_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
ORDER BY key FOR UPDATE
"""
EARLIER_DIGESTS = "SELECT resource_id, digest FROM fhirstore_version WHERE resource_id = ANY(%s)"
INSERT = """
INSERT INTO fhirstore_resource
  (type, fhir_id, version, last_updated, deleted, digest, patient, date_low, date_high, terms, stamp, body)
SELECT t.type, t.fhir_id, t.version, t.last_updated, t.deleted, t.digest, t.patient, t.date_low, t.date_high,
  t.terms::bigint[], t.stamp, t.body
FROM unnest(%s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::bool[], %s::bytea[], %s::text[],
  %s::timestamptz[], %s::timestamptz[], %s::text[], %s::bigint[],
  (string_to_array(%s, E'\\x1e'))[2:])
  AS t (
    type, fhir_id, version, last_updated, deleted, digest, patient, date_low, date_high, terms, stamp, body)
ON CONFLICT (type, fhir_id) DO NOTHING
RETURNING type, fhir_id, key
"""
KEEP_VERSION = """
INSERT INTO fhirstore_version (resource_id, type, version, last_updated, deleted, digest, body)
SELECT key, type, version, last_updated, deleted, digest, body FROM fhirstore_resource WHERE key = ANY(%s)
"""
UPDATE = """
UPDATE fhirstore_resource r
SET version = t.version, last_updated = t.last_updated, deleted = t.deleted, digest = t.digest,
  patient = t.patient, date_low = t.date_low, date_high = t.date_high,
  terms = t.terms::bigint[], stamp = t.stamp, body = t.body
FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[], %s::bool[], %s::bytea[], %s::text[],
  %s::timestamptz[], %s::timestamptz[], %s::text[], %s::bigint[],
  (string_to_array(%s, E'\\x1e'))[2:])
  AS t (key, version, last_updated, deleted, digest, patient, date_low, date_high, terms, stamp, body)
WHERE r.key = t.key
"""
CLEAR = (
    "DELETE FROM fhirstore_daterow WHERE resource_id = ANY(%s)",
    "DELETE FROM fhirstore_stringrow WHERE resource_id = ANY(%s)",
    "DELETE FROM fhirstore_quantityrow WHERE resource_id = ANY(%s)",
)
DATES = """
INSERT INTO fhirstore_daterow (resource_id, param, ordinal, low, high)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::timestamptz[], %s::timestamptz[])
"""
STRINGS = """
INSERT INTO fhirstore_stringrow (resource_id, param, ordinal, value)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::text[])
"""
QUANTITIES = """
INSERT INTO fhirstore_quantityrow (resource_id, param, ordinal, low, high, system, code, unit)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::float8[], %s::float8[],
  %s::text[], %s::text[], %s::text[])
"""

# Bodies go as one text: JSON holds no control characters, and escaping them into an array is slow.
_SEPARATOR = "\x1e"


@dataclass(slots=True)
class Row:
    """One resource row to be, with what it is found by."""

    type: str
    fhir_id: str
    version: int
    last_updated: datetime
    digest: bytes  # empty where it is deleted
    index: Index
    body: str
    stamp: int | None = None
    key: int = 0  # known for a row that is replaced, learned for one that is new


def insert(cursor: Any, rows: Sequence[Row]) -> bool:
    """Add new resources. False where one of them is there already: somebody was faster."""
    if not rows:
        return True
    cursor.execute(INSERT, [[row.type for row in rows], [row.fhir_id for row in rows], *_columns(rows)])
    keys = {(kind, fhir_id): key for kind, fhir_id, key in cursor.fetchall()}
    if len(keys) != len(rows):
        return False
    for row in rows:
        row.key = keys[row.type, row.fhir_id]
    _insert_index(cursor, rows)
    return True


def replace(cursor: Any, rows: Sequence[Row]) -> None:
    """Put new versions in the place of current ones, which are kept as earlier versions."""
    if not rows:
        return
    keys = [row.key for row in rows]
    cursor.execute(KEEP_VERSION, [keys])
    cursor.execute(UPDATE, [keys, *_columns(rows)])
    for statement in CLEAR:
        cursor.execute(statement, [keys])
    _insert_index(cursor, rows)


def _columns(rows: Sequence[Row]) -> list[Any]:
    dates = [main_date_columns(row.index) for row in rows]
    return [
        [row.version for row in rows],
        [row.last_updated for row in rows],
        [not row.body for row in rows],
        [row.digest for row in rows],
        [row.index.patient for row in rows],
        [low for low, _ in dates],
        [high for _, high in dates],
        ["{" + ",".join(map(str, row.index.terms)) + "}" for row in rows],
        [row.stamp for row in rows],
        _SEPARATOR.join(["", *(row.body for row in rows)]),  # the first keeps a lone "" an element
    ]


def _insert_index(cursor: Any, rows: Sequence[Row]) -> None:
    _insert_values(cursor, DATES, ((row.key, row.index.dates) for row in rows))
    _insert_values(cursor, STRINGS, ((row.key, row.index.strings) for row in rows))
    _insert_values(cursor, QUANTITIES, ((row.key, row.index.quantities) for row in rows))


def _insert_values(cursor: Any, statement: str, values: Iterable[tuple[int, set[Any]]]) -> None:
    """Values are (key, {(param, value…)}); they are numbered within a resource, to be unique."""
    numbered = [
        (key, param, n, *rest) for key, found in values for n, (param, *rest) in enumerate(sorted(found))
    ]
    if numbered:
        cursor.execute(statement, [list(column) for column in zip(*numbered, strict=True)])
