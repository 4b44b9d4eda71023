"""What the fake EHR knows of FHIR: read, search with pages, create once, update by version, transaction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.ehr.shapes import Shape

Resource = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Query = Sequence[tuple[str, str]]
TOKENS = {
    "category": "category",
    "code": "code",
    "status": "status",
    "intent": "intent",
    "clinical-status": "clinicalStatus",
}
OWNERS = ("subject", "patient", "beneficiary")
PASSED_OVER = frozenset({"_count", "_sort", "_lastUpdated"})
WARNING = {"severity": "warning", "code": "processing", "details": {"text": "It may not be all."}}


class Store:
    """The resources of one EHR, in memory."""

    def __init__(self, shape: Shape, base: str) -> None:
        self.shape, self.base = shape, base
        self.resources: dict[str, Resource] = {}
        self.pages: dict[str, tuple[str, list[Resource]]] = {}
        self.exports = False  # whether it has a Bulk Data export of its own
        self.versions: dict[str, list[Resource]] = {}  # of what was written here, the oldest first

    def load(self, resources: Sequence[Resource]) -> None:
        for resource in resources:
            self.resources[f"{resource['resourceType']}/{resource['id']}"] = resource

    def answer(self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes) -> Answer:
        if method == "POST":
            return self._post(path, headers.get("If-None-Exist", ""), json.loads(body))
        if method == "PUT":
            status, where = self._update(path, headers.get("If-Match", ""), json.loads(body))
            return (
                (status, {"Location": f"{self.base}/{where}"}, body)
                if where
                else _outcome(status, "conflict")
            )
        params = dict(query)
        if self.exports and path == "Patient/$export":
            return 202, {"Content-Location": f"{self.base}/_bulk?{urlencode(params)}"}, b""
        if self.exports and path.startswith("_bulk"):
            return self._bulk(method, path.removeprefix("_bulk").strip("/"), params)
        if path == "metadata":
            return _json(200, self._capability())
        if token := self._token(path, params):
            return self._page(*token)
        if path.endswith("/_history"):
            entries = [
                {"resource": r} for r in reversed(self.versions.get(path.removesuffix("/_history"), []))
            ]
            return _json(200, {"resourceType": "Bundle", "type": "history", "entry": entries})
        if "/" in path:
            found = self.resources.get(path)
            return _json(200, self._shown(found)) if found else _outcome(404, "not-found")
        return self._search(path, query)

    def _bulk(self, method: str, kind: str, params: Mapping[str, str]) -> Answer:
        """Status and files of an export of everybody; that it takes its time, a script says."""
        if method == "DELETE":
            return 202, {}, b""
        if kind:
            found = [r for r in self.resources.values() if r["resourceType"] == kind]
            lines = [json.dumps(self._shown(resource)) for resource in found]
            return 200, {"Content-Type": "application/fhir+ndjson"}, "\n".join(lines).encode()
        kinds = sorted({r["resourceType"] for r in self.resources.values()} & set(params["_type"].split(",")))
        output = [{"type": kind, "url": f"{self.base}/_bulk/{kind}"} for kind in kinds]
        return _json(200, {"requiresAccessToken": True, "output": output, "error": []})

    def _token(self, path: str, params: Mapping[str, str]) -> tuple[str, int, int] | None:
        if "_getpages" in params:
            return params["_getpages"], int(params["_getpagesoffset"]), int(params["_count"])
        said = path.removeprefix("_page/") if path.startswith("_page/") else ""
        said = said or params.get("sessionID") or params.get("-pageContext") or params.get("cursor") or ""
        if not said:
            return None
        token, at, size = said.split("-")
        return token, int(at), int(size)

    def _search(self, kind: str, query: Query) -> Answer:
        names = {name for name, _ in query}
        wanted = self.shape.demands.get(kind, set())
        if wanted and not (wanted | {"_id"}) & names:
            return _outcome(400, "required")
        matches = sorted(
            (r for r in self.resources.values() if r["resourceType"] == kind), key=lambda r: str(r["id"])
        )
        for name, value in query:
            if name in PASSED_OVER:
                continue
            if name == "location" and not self.shape.by_location:
                return _outcome(400, "not-supported")
            if name == "_id" and len(value.split(",")) > self.shape.most_ids:
                return _outcome(400, "too-long")
            test = _test(name, set(value.split(",")))
            if test is None:
                return _outcome(400, "not-supported")
            matches = [resource for resource in matches if test(resource)]
        size = min(int(dict(query).get("_count", 50)), self.shape.largest_page)
        token = f"{len(self.pages):08x}"
        self.pages[token] = (kind, matches)
        return self._page(token, 0, size)

    def _page(self, token: str, at: int, size: int) -> Answer:
        if token not in self.pages:
            return _outcome(410, "not-found")
        kind, matches = self.pages[token]
        links = []
        if at + size < len(matches):
            url = self.shape.link(self.base, kind, token, at + size, size)
            links.append({"relation": "next", "url": url})
        entries: list[Resource] = [
            {
                "fullUrl": f"{self.base}/{kind}/{r['id']}",
                "resource": self._shown(r),
                "search": {"mode": "match"},
            }
            for r in matches[at : at + size]
        ]
        if self.shape.says_more:
            outcome = {"resourceType": "OperationOutcome", "issue": [WARNING]}
            entries.append({"resource": outcome, "search": {"mode": "outcome"}})
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
        return _json(200, bundle | ({"total": len(matches)} if self.shape.total else {}))

    def _shown(self, resource: Resource) -> Resource:
        if not self.shape.meta:
            return {name: value for name, value in resource.items() if name != "meta"}
        key = f"{resource['resourceType']}/{resource['id']}"
        version = {"versionId": self._version(key), "lastUpdated": "2026-01-01T00:00:00Z"}
        return resource | {"meta": resource.get("meta", {}) | version}

    def _version(self, key: str) -> str:
        return str(max(1, len(self.versions.get(key, []))))

    def _post(self, path: str, if_none_exist: str, resource: Resource) -> Answer:
        if path == "" and resource.get("type") == "transaction":
            entries = []
            for entry in resource["entry"]:
                asked = entry["request"]
                if asked["method"] == "PUT":
                    status, where = self._update(asked["url"], asked.get("ifMatch", ""), entry["resource"])
                    if not where:  # it comes first, so nothing was done yet
                        return _outcome(status, "conflict")
                else:
                    status, where = self._create(entry["resource"], asked.get("ifNoneExist", ""))
                entries.append({"response": {"status": str(status), "location": where}})
            return _json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})
        status, where = self._create(resource, if_none_exist)
        return status, {"Location": f"{self.base}/{where}"}, json.dumps(resource).encode()

    def _create(self, resource: Resource, if_none_exist: str) -> tuple[int, str]:
        """Once: a condition on an identifier is kept."""
        kind = resource["resourceType"]
        for name, value in parse_qsl(if_none_exist):
            system, _, code = value.partition("|")
            for there in self.resources.values():
                same = {"system": system, "value": code} in there.get("identifier", [])
                if name == "identifier" and there["resourceType"] == kind and same:
                    return 200, f"{kind}/{there['id']}/_history/1"
        resource = resource | {"id": f"made-{len(self.resources)}"}
        self.load([resource])
        self.versions[f"{kind}/{resource['id']}"] = [self._shown(resource)]
        return 201, f"{kind}/{resource['id']}/_history/1"

    def _update(self, key: str, if_match: str, resource: Resource) -> tuple[int, str]:
        """(status, address of the new version; empty: refused)."""
        if key not in self.resources:
            return 404, ""
        if if_match.removeprefix("W/").strip('"') != self._version(key):
            return 412, ""
        self.versions.setdefault(key, [self._shown(self.resources[key])])
        self.load([resource])
        self.versions[key].append(resource)  # so that it has its version,
        self.versions[key][-1] = self._shown(resource)  # and says it
        return 200, f"{key}/_history/{self._version(key)}"

    def _capability(self) -> Resource:
        kinds = sorted({resource["resourceType"] for resource in self.resources.values()} | {"Patient"})
        entries = [
            {
                "type": kind,
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "searchParam": [{"name": n, "type": "token"} for n in ("_id", "patient", *TOKENS)],
            }
            for kind in kinds
        ]
        if self.exports:
            definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"
            operation = [{"name": "export", "definition": definition}]
            entries = [e | {"operation": operation} if e["type"] == "Patient" else e for e in entries]
        statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "kind": "instance"}
        return statement | {"rest": [{"mode": "server", "resource": entries}]}


def _test(name: str, wanted: set[str]) -> Any:
    """Whether a resource matches a parameter; None for one that is not known."""
    if name == "_id":
        return lambda resource: resource["id"] in wanted
    if name == "date":  # "from that day on" is all that pages ask
        first = min(wanted).removeprefix("ge")
        return lambda resource: str(resource.get("effectiveDateTime") or resource.get("start") or "") >= first
    if name in OWNERS:
        ids = {value.removeprefix("Patient/") for value in wanted}
        return lambda resource: any(
            resource.get(owner, {}).get("reference", "").rpartition("/")[2] in ids for owner in OWNERS
        )
    if name == "location":
        return lambda resource: any(c["attachment"].get("url") in wanted for c in resource.get("content", []))
    if name == "identifier":
        return lambda resource: any(
            f"{i.get('system')}|{i.get('value')}" in wanted for i in resource.get("identifier", [])
        )
    if name == "birthdate":
        return lambda resource: resource.get("birthDate") in wanted
    if name in ("family", "given"):
        return lambda resource: any(
            _begins(human.get(name, ""), wanted) for human in resource.get("name", [])
        )
    if name in TOKENS:
        return lambda resource: bool(_codes(resource.get(TOKENS[name])) & wanted)
    return None


def _begins(names: str | list[str], wanted: set[str]) -> bool:
    """A string search: the beginning, whatever the case (FHIR R4, 3.1.1.4.8)."""
    said = [names] if isinstance(names, str) else names
    return any(name.casefold().startswith(value.casefold()) for name in said for value in wanted)


def _codes(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    concepts = value if isinstance(value, list) else [value or {}]
    codings = [coding for concept in concepts for coding in concept.get("coding", [])]
    return {c["code"] for c in codings} | {f"{c.get('system', '')}|{c['code']}" for c in codings}


def _json(status: int, resource: Resource) -> Answer:
    return status, {}, json.dumps(resource).encode()


def _outcome(status: int, code: str) -> Answer:
    return _json(status, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]})
