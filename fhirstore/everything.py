"""Patient/$everything (R4, patient-operation-everything): the compartment, and what it refers to."""

import re
from typing import Any

import msgspec
from django.conf import settings

from fhirstore import documents, terms
from fhirstore.cursors import planned_anew
from fhirstore.dates import BEGINNING, END
from fhirstore.definitions import TYPES
from fhirstore.interactions import read
from fhirstore.outcome import JSON, Answer, Refused
from fhirstore.requests import Request
from fhirstore.search import values
from fhirstore.search.query import DEFAULT_COUNT, MAX_COUNT
from fhirstore.search.run import Found, fetch

_PAGE = """
SELECT type, fhir_id, body, key FROM fhirstore_resource
WHERE terms @> %s::bigint[] AND NOT deleted AND NOT (type = 'Patient' AND fhir_id = %s)
  AND (%s::text[] IS NULL OR type = ANY(%s::text[])) AND last_updated >= %s
  AND (date_high IS NULL OR (date_high > %s AND date_low < %s)) AND key > %s
ORDER BY key + 0 LIMIT %s
"""
# What the records in a compartment lean on, and which stand outside of it.
_SUPPORT = re.compile(
    r'"reference":"(Practitioner|PractitionerRole|Organization|Location|Medication|Device)/([A-Za-z0-9\-.]{1,64})'
)


def everything(request: Request, kind: str, fhir_id: str) -> Answer:
    """Three statements for a page, however large. Raises Refused (400, 404, 410)."""
    asked = request.parameters()
    unknown = asked.keys() - {"_count", "_cursor", "_type", "_since", "start", "end", "_format", "_pretty"}
    if unknown and request.is_strict:
        raise Refused(400, "not-supported", f"$everything has no parameter `{min(unknown)}` here.")
    count = min(_whole(asked, "_count", DEFAULT_COUNT), MAX_COUNT) or DEFAULT_COUNT
    after = _whole(asked, "_cursor", 0)
    patient = read(Request("GET", (kind, fhir_id), (), {}), kind, fhir_id)[2]  # refuses if it is not there
    found = _page(fhir_id, asked, after, count + 1)
    shown, has_more = found[:count], len(found) > count
    entries = [] if after else [_entry(kind, fhir_id, patient, "match")]
    entries += [_entry(each.type, each.fhir_id, each.body, "match") for each in shown]
    entries += [_entry(each.type, each.fhir_id, each.body, "include") for each in _support(shown)]
    base = f"Patient/{fhir_id}/$everything?"
    used = "&".join(f"{name}={asked[name]}" for name in sorted(asked.keys() - unknown - {"_cursor"}))
    links = [{"relation": "self", "url": base + used}]
    if has_more:
        cursor = f"_cursor={shown[-1].position[0]}"
        links.append({"relation": "next", "url": base + "&".join(filter(None, (used, cursor)))})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return 200, {"Content-Type": JSON}, documents.encode(bundle | ({"entry": entries} if entries else {}))


def _whole(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise values.bad_value(name, "a whole number")
    return int(text)


def _page(fhir_id: str, asked: dict[str, str], after: int, limit: int) -> list[Found]:
    kinds = [each for each in asked.get("_type", "").split(",") if each]
    if any(each not in TYPES for each in kinds):
        raise values.bad_value("_type", "resource types of FHIR R4")
    since = values.date("_since", asked["_since"])[1][0] if "_since" in asked else BEGINNING
    start = values.date("start", asked["start"])[1][0] if "start" in asked else BEGINNING
    end = values.date("end", asked["end"])[1][1] if "end" in asked else END
    wanted = kinds or None
    params = [[terms.compartment(fhir_id)], fhir_id, wanted, wanted, since, start, end, after, limit]
    with planned_anew() as cursor:
        cursor.execute(_PAGE, params)
        return [Found(kind, each, body, (key,)) for kind, each, body, key in cursor.fetchall()]


def _support(shown: list[Found]) -> list[Found]:
    wanted = {match for each in shown for match in _SUPPORT.findall(each.body)}
    inside = {(each.type, each.fhir_id) for each in shown}
    return fetch(sorted(wanted - inside)) if wanted - inside else []


def _entry(kind: str, fhir_id: str, body: str | bytes, mode: str) -> dict[str, Any]:
    url = f"{settings.FHIR_BASE_URL}/{kind}/{fhir_id}"
    return {"fullUrl": url, "resource": msgspec.Raw(body), "search": {"mode": mode}}
