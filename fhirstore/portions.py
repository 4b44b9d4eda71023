"""Whole records of some patients at once, each cut into what has one type and one stamp.

A portion is joined in the database, so that a reader who can tell by the stamp what to do with it never
looks at a resource.
"""

from collections.abc import Sequence

from django.db import connection

# By patient, type and stamp, in the order in which resources first came: always the same.
_PORTIONS = """
COPY (
  SELECT p.id, f.type, f.stamp, f.count, f.bodies
  FROM unnest(%s::text[]) WITH ORDINALITY AS p (id, place) CROSS JOIN LATERAL (
    SELECT r.type, r.stamp, count(*) AS count,
      convert_to(string_agg(r.body, E'\\n' ORDER BY r.key), 'UTF8') AS bodies
    FROM fhirstore_resource r
    WHERE r.type = ANY(%s::text[]) AND r.patient = p.id AND NOT r.deleted
    GROUP BY r.type, r.stamp
  ) f ORDER BY p.place, f.type, f.stamp NULLS LAST
) TO STDOUT (FORMAT binary)
"""
_SET = """
UPDATE fhirstore_resource r SET stamp = f.stamp
FROM (
  SELECT r.key, t.stamp FROM fhirstore_resource r
  JOIN unnest(%s::text[], %s::text[], %s::int[], %s::bigint[]) AS t (type, fhir_id, version, stamp)
    ON r.type = t.type AND r.fhir_id = t.fhir_id AND r.version = t.version AND NOT r.deleted
  FOR UPDATE OF r SKIP LOCKED
) f WHERE r.key = f.key
"""
Portion = tuple[str, str, int | None, int, bytes]  # patient, type, stamp, how many, their bodies by line


def portions(patients: Sequence[str], types: Sequence[str]) -> list[Portion]:
    """What the store has of these patients, each in the order asked for. One statement.

    A resource that names several patients, or none, is in no portion.
    """
    with connection.cursor() as cursor, cursor.copy(_PORTIONS, [list(patients), list(types)]) as copy:
        copy.set_types(["text", "varchar", "int8", "int8", "bytea"])
        return list(copy.rows())


def set_stamps(stamps: Sequence[tuple[str, str, int, int]]) -> None:
    """(type, id, version, stamp) of resources; one that has another version by now, or
    that somebody writes at this moment, keeps what it has."""
    if stamps:
        with connection.cursor() as cursor:
            cursor.execute(_SET, [list(column) for column in zip(*stamps, strict=True)])
