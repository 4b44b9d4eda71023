"""The hospital's FHIR R4 API as far as a portal needs it: read, search by patient, find a patient.

In the manner of one make of EHR: no totals, page links of its own, and conditions by category only.
"""

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

Resource = dict[str, Any]
BASE = "/lakeside/fhir"
PAGE = 20
OWNERS = ("patient", "subject")
DATES = ("effectiveDateTime", "authoredOn", "occurrenceDateTime", "date", "start", "onsetDateTime")
TYPES = {
    **dict.fromkeys(("_id", "category", "code", "status", "intent", "identifier"), "token"),
    **dict.fromkeys(("date", "birthdate"), "date"),
    **dict.fromkeys(("family", "given"), "string"),
    "patient": "reference",
}
KNOWN = frozenset({*TYPES, "_count", "-pageContext"})


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, records: list[Resource]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.records = records
        self.base = f"http://127.0.0.1:{self.server_port}{BASE}"

    def answer(self, path: str, query: list[tuple[str, str]]) -> tuple[int, Resource]:
        """(status, resource) for a path below the base."""
        kind, _, resource_id = path.partition("/")
        if path == "metadata":
            return 200, self._statement()
        if resource_id:
            mine = (r for r in self.records if (r["resourceType"], r["id"]) == (kind, resource_id))
            found = next(mine, None)
            return (200, found) if found else (404, _outcome("not-found", "no such resource"))
        params = dict(query)
        if unknown := set(params) - KNOWN:
            return 400, _outcome("not-supported", f"unknown parameter {min(unknown)}")
        if kind == "Condition" and not {"_id", "category", "code"} & set(params):
            return 400, _outcome("required", "a category must be given")
        matches = [r for r in self.records if r["resourceType"] == kind and _matches(r, query)]
        return 200, self._page(kind, params, matches)

    def _page(self, kind: str, params: dict[str, str], matches: list[Resource]) -> Resource:
        start = int(params.pop("-pageContext", "0"))
        size = min(int(params.get("_count", PAGE)), PAGE)
        links = [{"relation": "self", "url": f"{self.base}/{kind}?{urlencode(params)}"}]
        if start + size < len(matches):
            onward = urlencode({**params, "-pageContext": str(start + size)})
            links.append({"relation": "next", "url": f"{self.base}/{kind}?{onward}"})
        entries = [
            {"fullUrl": f"{self.base}/{kind}/{r['id']}", "resource": r, "search": {"mode": "match"}}
            for r in matches[start : start + size]
        ]
        return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}

    def _statement(self) -> Resource:
        kinds = sorted({resource["resourceType"] for resource in self.records})
        codes = [{"code": "read"}, {"code": "search-type"}]
        types = [{"type": k, "interaction": codes, "searchParam": self._searches(k)} for k in kinds]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "kind": "instance",
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": types}],
        }

    def _searches(self, kind: str) -> list[Resource]:
        """What a type can be searched by: the parameters of which one of its resources has a value."""
        mine = [resource for resource in self.records if resource["resourceType"] == kind]
        names = sorted(name for name in TYPES if any(_values(resource, name) for resource in mine))
        return [{"name": name, "type": TYPES[name]} for name in names]


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, the second would wait for an acknowledgement

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if target.path.startswith(f"{BASE}/"):
            path = target.path.removeprefix(f"{BASE}/")
            self._send(*self.server.answer(path, parse_qsl(target.query)))
        else:
            self._send(404, _outcome("not-found", f"the FHIR base is {BASE}"))

    def _send(self, status: int, resource: Mapping[str, Any]) -> None:
        body = json.dumps(resource).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: addresses of searches tell of patients."""


def _matches(resource: Resource, query: list[tuple[str, str]]) -> bool:
    return all(_match(resource, name, value.split(",")) for name, value in query)


def _match(resource: Resource, name: str, values: list[str]) -> bool:
    if name not in TYPES:
        return True
    have = _values(resource, name)
    if name == "date":
        return all(any(not v.startswith("ge") or when[:10] >= v[2:12] for when in have) for v in values)
    if name in ("family", "given"):
        return any(h.casefold().startswith(v.casefold()) for h in have for v in values)
    if name == "patient":
        values = [f"Patient/{value.removeprefix('Patient/')}" for value in values]
    if name in ("category", "code"):
        values = [value.rpartition("|")[2] for value in values]
    return bool(have & set(values))


def _values(resource: Resource, name: str) -> set[str]:
    """What a resource has of a search parameter."""
    if name == "_id":
        return {resource["id"]}
    if name == "patient":
        return _patients(resource)
    if name in ("category", "code"):
        return _codes(resource.get(name))
    if name == "date":
        when = next((resource[d] for d in DATES if d in resource), resource.get("period", {}).get("start"))
        return {when} if when else set()
    if resource["resourceType"] == "Patient":
        return _of_person(resource).get(name, set())
    return {resource[name]} if name in ("status", "intent") and name in resource else set()


def _of_person(patient: Resource) -> dict[str, set[str]]:
    return {
        "birthdate": {patient["birthDate"]},
        "family": {name["family"] for name in patient["name"]},
        "given": {given for name in patient["name"] for given in name["given"]},
        "identifier": {f"{i['system']}|{i['value']}" for i in patient["identifier"]},
    }


def _patients(resource: Resource) -> set[str]:
    actors = [p.get("actor", {}) for p in resource.get("participant", []) if isinstance(p, dict)]
    owners = [resource.get(owner, {}) for owner in OWNERS] + actors
    return {owner["reference"] for owner in owners if "reference" in owner}


def _codes(value: Any) -> set[str]:
    concepts = value if isinstance(value, list) else [value or {}]
    return {coding["code"] for c in concepts if isinstance(c, dict) for coding in c.get("coding", [])}


def _outcome(code: str, text: str) -> Resource:
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
