"""Records of patients cloned under new ids, for measurements at a size that the data at hand do not have.

A clone is a resource like any other: it has its own id, refers to the clones of what the original refers
to, and is found by its own. Patients, which are few, are written as any resource is, under identifiers of
their own; the rest is copied row by row, without being parsed again.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from fhirstore import documents, terms
from fhirstore.definitions import PARAMETERS
from fhirstore.paths import compile_path
from fhirstore.references import targets_of
from fhirstore.store import Change, write

# Ids of clones end with this and a number; an id may have a dot, and hardly one ends so.
MARK = ".c"
PAGE = 2000

_ORIGINAL = "NOT deleted AND fhir_id !~ '\\.c\\d+$' AND length(fhir_id) < 57"
_BASE = f"""
DROP TABLE IF EXISTS clone_base;
CREATE TEMP TABLE clone_base ON COMMIT DROP AS
SELECT key, row_number() OVER (ORDER BY key) AS place FROM fhirstore_resource
WHERE patient IS NOT NULL AND type <> 'Patient' AND {_ORIGINAL};
CREATE UNIQUE INDEX ON clone_base (place)
"""  # noqa: S608
# Types that are cloned whole: references to them are rewritten.
_TYPES = f"""
SELECT type FROM fhirstore_resource WHERE {_ORIGINAL} GROUP BY type HAVING bool_and(patient IS NOT NULL)
"""  # noqa: S608
_BODIES = f"""
SELECT key, type, fhir_id, body FROM fhirstore_resource
WHERE key > %s AND patient IS NOT NULL AND {_ORIGINAL} ORDER BY key LIMIT {PAGE}
"""  # noqa: S608
_LAST = (
    "SELECT max(substring(fhir_id FROM '\\.c(\\d+)$')::int) FROM fhirstore_resource WHERE type = 'Patient'"
)
_RESERVE = """
SELECT setval(pg_get_serial_sequence('fhirstore_resource', 'key'),
  nextval(pg_get_serial_sequence('fhirstore_resource', 'key')) + (SELECT count(*) FROM clone_base))
  - (SELECT count(*) FROM clone_base)
"""
_PAGE = """
SELECT b.place, r.type, r.fhir_id, r.last_updated, r.patient, r.date_low, r.date_high, r.terms, r.body
FROM clone_base b JOIN fhirstore_resource r USING (key) WHERE b.place > %s AND b.place <= %s ORDER BY b.place
"""
_COPY = """
COPY fhirstore_resource
  (key, type, fhir_id, version, last_updated, deleted, digest, patient, date_low, date_high, terms, body)
FROM STDIN
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


_STAMP = re.compile(r',"meta":\{"versionId":"\d+","lastUpdated":"[^"]+"(?P<more>[,}])')
_VERSION = re.compile(r'"versionId":"\d+"')
_FIRST = '"versionId":"1"'


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
    cursor.execute(_RESERVE)
    (start,) = cursor.fetchone()
    rename = _Rename(mark, original)
    place = 0
    while True:
        cursor.execute(_PAGE, [place, place + PAGE])
        if not (rows := cursor.fetchall()):
            break
        place = rows[-1][0]
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(rename.row(start, *row))
    for statement in _ROWS:
        cursor.execute(statement, [start])
    return place + len(original.patients)


class _Rename:
    """A resource row of an original into that of its clone."""

    def __init__(self, mark: str, original: _Original) -> None:
        self.mark = mark
        types = "|".join(map(re.escape, original.types))
        self._references = re.compile(rf'"reference":"(?:{types})/[A-Za-z0-9.-]{{1,64}}(?=["/])')
        self._terms = dict(_renamed(original, mark))

    def row(
        self, start: int, place: int, kind: str, fhir_id: str, at: datetime, patient: str,
        low: datetime, high: datetime | None, found: list[int], body: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        body = self._references.sub(lambda match: match[0] + self.mark, body)
        head = f'{{"resourceType":"{kind}","id":"{fhir_id}'
        bare = f'{head}{self.mark}"{_STAMP.sub(_unstamped, body[len(head) + 1 :], count=1)}'
        stamped = f'{head}{self.mark}"{_VERSION.sub(_FIRST, body[len(head) + 1 :], count=1)}'
        digest = hashlib.sha256(bare.encode()).digest()
        listed = [self._terms.get(each, each) for each in found]
        return (
            start + place, kind, fhir_id + self.mark, 1, at, False, digest, patient + self.mark,
            low, high, listed, stamped,
        )  # fmt: skip


def _unstamped(match: re.Match[str]) -> str:
    """`meta` without what the server put into it; without it, if nothing is left."""
    return ',"meta":{' if match["more"] == "," else ""


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
