"""Resources in and out of the database.

`write` takes any number of changes and costs the same handful of statements for one as for a
thousand: a create, a transaction Bundle and a bulk load are the same path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db import connection

from fhirstore import rows, stamps, structure
from fhirstore.dates import END
from fhirstore.documents import Content
from fhirstore.index import Index, index
from fhirstore.outcome import Refused


class Effect(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource, as kept. `body` is empty where it is deleted."""

    type: str
    fhir_id: str
    version: int
    last_updated: datetime
    body: str

    @property
    def deleted(self) -> bool:
        return not self.body


@dataclass(frozen=True, slots=True)
class Change:
    """What one resource becomes. `content` None deletes it; `if_match` is the version it must have."""

    type: str
    fhir_id: str
    content: Content | None
    if_match: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    effect: Effect
    stored: Stored


@dataclass(frozen=True, slots=True)
class _Current:
    """The current version of a resource that is about to change, locked."""

    key: int
    version: int
    deleted: bool
    digest: bytes
    last_updated: datetime


_FETCH = "SELECT version, last_updated, body FROM fhirstore_resource WHERE type = %s AND fhir_id = %s"
_FETCH_VERSION = """
SELECT version, last_updated, body FROM fhirstore_resource
WHERE type = %(type)s AND fhir_id = %(id)s AND version = %(version)s
UNION ALL
SELECT v.version, v.last_updated, v.body
FROM fhirstore_version v JOIN fhirstore_resource r ON r.key = v.resource_id
WHERE r.type = %(type)s AND r.fhir_id = %(id)s AND v.version = %(version)s
"""
_FETCH_VERSIONS = """
SELECT version, last_updated, body FROM fhirstore_resource
WHERE type = %(type)s AND fhir_id = %(id)s AND version < %(below)s AND last_updated >= %(since)s
UNION ALL
SELECT v.version, v.last_updated, v.body
FROM fhirstore_version v JOIN fhirstore_resource r ON r.key = v.resource_id
WHERE r.type = %(type)s AND r.fhir_id = %(id)s AND v.version < %(below)s AND v.last_updated >= %(since)s
ORDER BY version DESC LIMIT %(limit)s
"""
# Both halves come off an index in order, so that a page costs the same wherever it stands.
_FETCH_CHANGES = """
(SELECT r.fhir_id, r.version, r.last_updated, r.body, r.key FROM fhirstore_resource r
 WHERE r.type = %(type)s AND r.last_updated >= %(since)s
   AND (r.last_updated, r.key) < (%(at)s, %(key)s)
 ORDER BY r.last_updated DESC, r.key DESC LIMIT %(limit)s)
UNION ALL
(SELECT (SELECT r.fhir_id FROM fhirstore_resource r WHERE r.key = v.resource_id),
   v.version, v.last_updated, v.body, v.resource_id
 FROM fhirstore_version v WHERE v.type = %(type)s AND v.last_updated >= %(since)s
   AND (v.last_updated, v.resource_id, v.version) < (%(at)s, %(key)s, %(version)s)
 ORDER BY v.last_updated DESC, v.resource_id DESC, v.version DESC LIMIT %(limit)s)
ORDER BY last_updated DESC, key DESC, version DESC LIMIT %(limit)s
"""

Place = tuple[datetime, int, int]  # of a version among those of its type: time, key of the resource, version
_END: Place = (END, 2**63 - 1, 2**31 - 1)


def fetch(kind: str, fhir_id: str, version: int | None = None) -> Stored | None:
    """The current version of a resource, or the one asked for. One statement."""
    with connection.cursor() as cursor:
        if version is None:
            cursor.execute(_FETCH, [kind, fhir_id])
        else:
            cursor.execute(_FETCH_VERSION, {"type": kind, "id": fhir_id, "version": version})
        row = cursor.fetchone()
    return Stored(kind, fhir_id, *row) if row else None


def fetch_versions(kind: str, fhir_id: str, *, since: datetime, below: int, limit: int) -> list[Stored]:
    """Versions with a number under `below` that were written since, newest first. One statement."""
    params: dict[str, Any] = {"type": kind, "id": fhir_id, "since": since, "below": below, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_FETCH_VERSIONS, params)
        return [Stored(kind, fhir_id, *row) for row in cursor.fetchall()]


def fetch_changes(
    kind: str, *, since: datetime, below: Place | None, limit: int
) -> list[tuple[Stored, Place]]:
    """Versions of all resources of a type that were written since, newest first, with the place of each.
    One statement."""
    at, key, version = below or _END
    params: dict[str, Any] = {
        "type": kind,
        "since": since,
        "at": at,
        "key": key,
        "version": version,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FETCH_CHANGES, params)
        return [
            (Stored(kind, fhir_id, number, last_updated, body), (last_updated, found, number))
            for fhir_id, number, last_updated, body, found in cursor.fetchall()
        ]


def write(changes: Sequence[Change], *, replay: bool = False, as_is: bool = False) -> list[Written]:
    """Apply all changes, each to a resource of its own, in the caller's transaction.

    Content equal to the current version makes no new version. With `replay`, neither does content
    equal to an earlier version: what was loaded before and changed since stays as it is. With `as_is`,
    structure is not checked here.
    Raises Refused: 412 where `if_match` is not the current version, 409 where somebody else creates
    the same resource at the same time, 422 for what is not R4; `position` says which change is at fault.
    """
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # what a FHIR instant shows
    with connection.cursor() as cursor:
        current = _lock(cursor, changes)
        known = _earlier_digests(cursor, current.values()) if replay else set()
        new: list[rows.Row] = []
        changed: list[rows.Row] = []
        written: list[Written] = []
        for position, change in enumerate(changes):
            before = current.get((change.type, change.fhir_id))
            try:
                effect = _effect(change, before, known)
                if change.content and effect is not Effect.UNCHANGED and not as_is:
                    structure.check(change.content.document)
                row = None if effect is Effect.UNCHANGED else _next_row(change, before, now)
            except Refused as refused:
                refused.position = position
                raise
            if row is None:
                written.append(Written(effect, _unchanged(change, before, now)))
                continue
            (changed if before else new).append(row)
            written.append(Written(effect, Stored(row.type, row.fhir_id, row.version, now, row.body)))
        if not rows.insert(cursor, new):
            raise Refused(409, "conflict", "The same resource was written at the same time. Send it again.")
        rows.replace(cursor, changed)
    return written


def _lock(cursor: Any, changes: Sequence[Change]) -> dict[tuple[str, str], _Current]:
    """Current versions, locked in one order, so that two writers cannot wait for each other."""
    cursor.execute(rows.LOCK, [[c.type for c in changes], [c.fhir_id for c in changes]])
    return {
        (kind, fhir_id): _Current(key, version, deleted, bytes(digest), last_updated)
        for kind, fhir_id, key, version, deleted, digest, last_updated in cursor.fetchall()
    }


def _earlier_digests(cursor: Any, current: Iterable[_Current]) -> set[tuple[int, bytes]]:
    keys = [each.key for each in current if each.version > 1]
    if not keys:
        return set()
    cursor.execute(rows.EARLIER_DIGESTS, [keys])
    return {(key, bytes(digest)) for key, digest in cursor.fetchall()}


def _effect(change: Change, before: _Current | None, known: set[tuple[int, bytes]]) -> Effect:
    version = before.version if before else 0
    if change.if_match is not None and change.if_match != version:
        found = f"is at version {version}" if before else "does not exist"
        raise Refused(412, "conflict", f"If-Match asks for version {change.if_match}; the resource {found}.")
    if before is None or before.deleted:
        return Effect.UNCHANGED if change.content is None else Effect.CREATED
    if change.content is None:
        return Effect.DELETED
    same = before.digest == change.content.digest or (before.key, change.content.digest) in known
    return Effect.UNCHANGED if same else Effect.UPDATED


def _unchanged(change: Change, before: _Current | None, now: datetime) -> Stored:
    if before is None:
        return Stored(change.type, change.fhir_id, 0, now, "")
    body = change.content.body(before.version, before.last_updated) if change.content else ""
    return Stored(change.type, change.fhir_id, before.version, before.last_updated, body)


def _next_row(change: Change, before: _Current | None, now: datetime) -> rows.Row:
    version = before.version + 1 if before else 1
    key = before.key if before else 0
    made = change.content
    if made is None:
        return rows.Row(change.type, change.fhir_id, version, now, b"", Index(), "", key=key)
    body, found = made.body(version, now), index(made.document)
    stamp = stamps.of(made.document, body, found.patient)
    return rows.Row(change.type, change.fhir_id, version, now, made.digest, found, body, stamp, key)
