"""Records of patients cloned under new ids, for measurements at a size that the data at hand do not have.

A clone is a resource like any other: it has its own id, refers to the clones of what the original refers
to, and is found by its own. Patients, which are few, are written as any resource is, under identifiers of
their own; the rest is copied inside the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from fhirstore import documents, terms
from fhirstore.definitions import PARAMETERS
from fhirstore.paths import compile_path
from fhirstore.references import targets_of
from fhirstore.store import Change, write

# Ids of clones end with this and a number; an id may have a dot, and hardly one ends so.
MARK = ".c"

_BASE = """
DROP TABLE IF EXISTS clone_base, clone_term;
CREATE TEMP TABLE clone_base ON COMMIT DROP AS
SELECT key, row_number() OVER (ORDER BY key) AS place FROM fhirstore_resource
WHERE patient IS NOT NULL AND NOT deleted AND type <> 'Patient'
  AND fhir_id !~ '\\.c\\d+$' AND length(fhir_id) < 57
"""
_TERMS = "CREATE TEMP TABLE clone_term (old bigint PRIMARY KEY, new bigint NOT NULL) ON COMMIT DROP"
# Types that are cloned whole: references to them are rewritten.
_TYPES = """
SELECT type FROM fhirstore_resource WHERE NOT deleted AND fhir_id !~ '\\.c\\d+$'
GROUP BY type HAVING bool_and(patient IS NOT NULL AND length(fhir_id) < 57)
"""
_BODIES = """
SELECT r.key, r.type, r.fhir_id, r.body FROM fhirstore_resource r
WHERE r.key > %s AND r.patient IS NOT NULL AND NOT r.deleted AND r.fhir_id !~ '\\.c\\d+$'
ORDER BY r.key LIMIT 2000
"""
_LAST = (
    "SELECT max(substring(fhir_id FROM '\\.c(\\d+)$')::int) FROM fhirstore_resource WHERE type = 'Patient'"
)
_RESERVE = """
SELECT setval(pg_get_serial_sequence('fhirstore_resource', 'key'),
  nextval(pg_get_serial_sequence('fhirstore_resource', 'key')) + (SELECT count(*) FROM clone_base))
  - (SELECT count(*) FROM clone_base)
"""
# The body in three steps: its id, what it refers to, its first version. Then what the digest is of.
_COPY = """
WITH named AS (
  SELECT b.place, r.*, (SELECT array_agg(COALESCE(m.new, u.term))
      FROM unnest(r.terms) u (term) LEFT JOIN clone_term m ON m.old = u.term) AS new_terms,
    regexp_replace(regexp_replace(regexp_replace(r.body,
      '^(\\{"resourceType":"\\w+","id":"[^"]+)"', '\\1' || %(mark)s || '"'),
      '("reference":"(?:' || %(types)s || ')/[A-Za-z0-9.-]{1,64})(?=["/])', '\\1' || %(mark)s, 'g'),
      '"versionId":"\\d+"', '"versionId":"1"') AS new_body
  FROM clone_base b JOIN fhirstore_resource r USING (key)
)
INSERT INTO fhirstore_resource
  (key, type, fhir_id, version, last_updated, deleted, digest, patient, date_low, date_high, terms, body)
SELECT %(start)s + place, type, fhir_id || %(mark)s, 1, last_updated, FALSE,
  sha256(convert_to(regexp_replace(regexp_replace(new_body,
    '^(\\{"resourceType":"\\w+","id":"[^"]+"),"meta":\\{"versionId":"1","lastUpdated":"[^"]+"\\}', '\\1'),
    '^(\\{"resourceType":"\\w+","id":"[^"]+","meta":\\{)"versionId":"1","lastUpdated":"[^"]+",', '\\1'),
    'UTF8')),
  patient || %(mark)s, date_low, date_high, COALESCE(new_terms, '{}'), new_body
FROM named ORDER BY place
"""
_ROWS = (
    "INSERT INTO fhirstore_daterow (resource_id, param, ordinal, low, high)"
    " SELECT %s + place, param, ordinal, low, high"
    " FROM clone_base b JOIN fhirstore_daterow i ON i.resource_id = b.key",
    "INSERT INTO fhirstore_stringrow (resource_id, param, ordinal, value)"
    " SELECT %s + place, param, ordinal, value"
    " FROM clone_base b JOIN fhirstore_stringrow i ON i.resource_id = b.key",
    "INSERT INTO fhirstore_quantityrow (resource_id, param, ordinal, low, high, system, code, unit)"
    " SELECT %s + place, param, ordinal, low, high, system, code, unit"
    " FROM clone_base b JOIN fhirstore_quantityrow i ON i.resource_id = b.key",
)


@dataclass(slots=True)
class _Original:
    """What is known of the records that are cloned."""

    patients: list[tuple[str, str]] = field(default_factory=list)  # id, body
    references: set[tuple[str, str]] = field(default_factory=set)  # parameter, Type/id
    types: list[str] = field(default_factory=list)


def multiply(times: int) -> Iterator[int]:
    """Clone every patient `times` more; yields how many resources each round has added."""
    with transaction.atomic(), connection.cursor() as cursor:
        original = _read(cursor)
        cursor.execute(_LAST)
        last = cursor.fetchone()[0] or 0
    for number in range(last + 1, last + times + 1):
        with transaction.atomic(), connection.cursor() as cursor:
            added = _round(cursor, original, f"{MARK}{number}")
        yield added
    with connection.cursor() as cursor:
        for table in ("resource", "daterow", "stringrow", "quantityrow"):
            cursor.execute(f"ANALYZE fhirstore_{table}")


def _read(cursor: Any) -> _Original:
    cursor.execute(_TYPES)
    original = _Original(types=[kind for (kind,) in cursor.fetchall()])
    key = 0
    while True:
        cursor.execute(_BODIES, [key])
        if not (rows := cursor.fetchall()):
            return original
        for key, kind, fhir_id, body in rows:  # noqa: B007
            if kind == "Patient":
                original.patients.append((fhir_id, body))
            for parameter in PARAMETERS[kind].values():
                if parameter.kind == "reference":
                    found = targets_of(compile_path(parameter.expression), body)
                    original.references |= {
                        (parameter.name, f"{t}/{i}") for t, i in found if t in original.types
                    }


def _round(cursor: Any, original: _Original, mark: str) -> int:
    """One clone of everything. Nobody writes meanwhile, so that keys can be given out in a row."""
    cursor.execute("LOCK TABLE fhirstore_resource IN EXCLUSIVE MODE")
    write([_patient(fhir_id, body, mark, original.types) for fhir_id, body in original.patients], as_is=True)
    cursor.execute(_BASE)
    cursor.execute(_TERMS)
    with cursor.copy("COPY clone_term FROM STDIN") as copy:
        for pair in _renamed(original, mark):
            copy.write_row(pair)
    cursor.execute("ANALYZE clone_term")
    cursor.execute(_RESERVE)
    (start,) = cursor.fetchone()
    cursor.execute(_COPY, {"mark": mark, "types": "|".join(original.types), "start": start})
    added = cursor.rowcount
    for statement in _ROWS:
        cursor.execute(statement, [start])
    return added + len(original.patients)


def _renamed(original: _Original, mark: str) -> set[tuple[int, int]]:
    """Hashes of what refers to an original, with those of what refers to its clone."""
    found = set()
    for param, target in original.references:
        for each in (target, target.partition("/")[2]):
            found.add((terms.reference(param, each), terms.reference(param, each + mark)))
    for fhir_id, _ in original.patients:
        found.add((terms.compartment(fhir_id), terms.compartment(fhir_id + mark)))
    return found


def _patient(fhir_id: str, body: str, mark: str, types: list[str]) -> Change:
    document = documents.parse(body.encode())
    for identifier in document.get("identifier", []):
        if "value" in identifier:
            identifier["value"] += mark
    for link in document.get("link", []):
        reference = link.get("other", {}).get("reference", "")
        if reference.partition("/")[0] in types:
            link["other"]["reference"] = reference + mark
    return Change("Patient", fhir_id + mark, documents.content(document, fhir_id + mark))
