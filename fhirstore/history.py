"""History of one resource and of a type (R4, 3.1.0.13), newest first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings

from fhirstore import documents
from fhirstore.dates import BEGINNING, instant
from fhirstore.outcome import JSON, Answer, Refused
from fhirstore.requests import Request
from fhirstore.search import values
from fhirstore.search.query import DEFAULT_COUNT, MAX_COUNT
from fhirstore.store import Place, Stored, fetch_changes, fetch_versions

_KNOWN = {"_count", "_cursor", "_since", "_format", "_pretty"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**31 - 1


def of_resource(request: Request, kind: str, fhir_id: str) -> Answer:
    """One statement. The cursor is the version to go on below."""
    asked = _asked(request)
    cursor = asked.get("_cursor", str(_LARGEST))
    below = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 20 else -1
    if not 0 <= below <= _LARGEST:
        raise values.bad_value("_cursor", "what a next link of this server gave")
    count, since = _count(asked), _since(asked)
    found = fetch_versions(kind, fhir_id, since=since, below=below, limit=count + 1)
    if not found and fetch_versions(kind, fhir_id, since=BEGINNING, below=_LARGEST, limit=1) == []:
        raise Refused(404, "not-found", f"There is no such {kind}.")
    onward = str(found[count - 1].version) if len(found) > count else ""
    return _bundle(f"{kind}/{fhir_id}/_history", asked, found[:count], onward)


def of_type(request: Request, kind: str) -> Answer:
    """One statement. The cursor is the place of the last version that was shown."""
    asked = _asked(request)
    count, since = _count(asked), _since(asked)
    found = fetch_changes(kind, since=since, below=_read_place(asked.get("_cursor", "")), limit=count + 1)
    cursor = _write_place(found[count - 1][1]) if len(found) > count else ""
    return _bundle(f"{kind}/_history", asked, [stored for stored, _ in found[:count]], cursor)


def _asked(request: Request) -> dict[str, str]:
    asked = dict(request.query)
    if (unknown := asked.keys() - _KNOWN) and request.is_strict:
        raise Refused(400, "not-supported", f"A history has no parameter `{min(unknown)}` here.")
    return {name: value for name, value in asked.items() if name in {"_count", "_cursor", "_since"}}


def _count(asked: dict[str, str]) -> int:
    text = asked.get("_count", str(DEFAULT_COUNT))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise values.bad_value("_count", "a whole number")
    return min(int(text), MAX_COUNT) or DEFAULT_COUNT


def _since(asked: dict[str, str]) -> datetime:
    return values.date("_since", asked["_since"])[1][0] if "_since" in asked else BEGINNING


def _write_place(place: Place) -> str:
    at, key, version = place
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{key}-{version}"


def _read_place(text: str) -> Place | None:
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 18 for part in parts):
        raise values.bad_value("_cursor", "what a next link of this server gave")
    micros, key, version = map(int, parts)
    return _EPOCH + timedelta(microseconds=min(micros, 10**17)), key, min(version, _LARGEST)


def _bundle(path: str, asked: dict[str, str], found: list[Stored], cursor: str) -> Answer:
    used = [f"{name}={value}" for name, value in asked.items() if name != "_cursor"]
    links = [{"relation": "self", "url": "?".join(filter(None, (path, "&".join(used))))}]
    if cursor:
        links.append({"relation": "next", "url": f"{path}?{'&'.join([*used, f'_cursor={cursor}'])}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history", "link": links}
    if found:
        bundle["entry"] = [_entry(each) for each in found]
    return 200, {"Content-Type": JSON}, documents.encode(bundle)


def _entry(stored: Stored) -> dict[str, object]:
    path = f"{stored.type}/{stored.fhir_id}"
    method = "DELETE" if stored.deleted else "PUT"
    entry: dict[str, object] = {"fullUrl": f"{settings.FHIR_BASE_URL}/{path}"}
    if not stored.deleted:
        entry["resource"] = msgspec.Raw(stored.body)
    status = {"DELETE": "204", "PUT": "201" if stored.version == 1 else "200"}[method]
    return entry | {
        "request": {"method": method, "url": path},
        "response": {
            "status": status,
            "etag": f'W/"{stored.version}"',
            "lastModified": instant(stored.last_updated),
        },
    }
