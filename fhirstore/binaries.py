"""A Binary by pieces, so that nobody has to hold it whole: its base64 is read in the database."""

from django.db import connection, transaction
from psycopg import DataError

_ENVELOPE = """
SELECT version, (body::jsonb - 'data')::text FROM fhirstore_resource
WHERE type = 'Binary' AND fhir_id = %s AND NOT deleted
"""
_PIECE = """
COPY (
  SELECT substring(decode(body::json->>'data', 'base64') FROM %s FOR %s) FROM fhirstore_resource
  WHERE type = 'Binary' AND fhir_id = %s AND version = %s AND NOT deleted
) TO STDOUT (FORMAT binary)
"""


def envelope(fhir_id: str) -> tuple[int, bytes] | None:
    """(version, the resource without its data); None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_ENVELOPE, [fhir_id])
        row = cursor.fetchone()
    return (row[0], row[1].encode()) if row else None


def piece(fhir_id: str, version: int, start: int, length: int) -> bytes | None:
    """Bytes of the content from `start` on; empty behind its end, None where that version has no content."""
    try:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy(_PIECE, [start + 1, length, fhir_id, version]) as copy,
        ):
            copy.set_types(["bytea"])
            found = [content for (content,) in copy.rows()]
    except DataError:  # no base64
        return None
    return found[0] if found else None
