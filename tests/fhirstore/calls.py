"""One FHIR call of the tests, and the small resources that they are about."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fhirstore.server import handle

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


@dataclass(frozen=True)
class Result:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def diagnostics(self) -> str:
        assert self.json["resourceType"] == "OperationOutcome", self.body
        return self.json["issue"][0]["diagnostics"]

    @property
    def ids(self) -> list[str]:
        """Ids of the matches of a searchset, in order."""
        entries = self.json.get("entry", [])
        return [e["resource"]["id"] for e in entries if e["search"]["mode"] == "match"]

    @property
    def included(self) -> set[str]:
        found = (e["resource"] for e in self.json.get("entry", []) if e["search"]["mode"] == "include")
        return {f"{r['resourceType']}/{r['id']}" for r in found}

    @property
    def next(self) -> str | None:
        links = {link["relation"]: link["url"] for link in self.json["link"]}
        return links.get("next")


def call(method: str, url: str, body: Any = None, **headers: str) -> Result:
    """`url` is relative to the base; a body that is not bytes is sent as JSON; if_match becomes If-Match."""
    path, _, query = url.partition("?")
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Result(*handle(method, path, parse_qsl(query, keep_blank_values=True), named, raw))


def get(url: str, **headers: str) -> Result:
    return call("GET", url, **headers)


def post(url: str, body: Any, **headers: str) -> Result:
    return call("POST", url, body, **headers)


def put(body: dict[str, Any], **headers: str) -> Result:
    """Update, or create under the id that the resource carries."""
    result = call("PUT", f"{body['resourceType']}/{body['id']}", body, **headers)
    assert result.status in {200, 201}, result.body
    return result


def patient(fhir_id: str = "alice", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": fhir_id,
        "name": [{"family": "Moreno", "given": ["Alice"]}],
    } | more


def observation(fhir_id: str, **more: Any) -> dict[str, Any]:
    """A laboratory result; `effective…` and `value…` replace the form that it has otherwise."""
    made = _laboratory(fhir_id)
    for choice in ("effective", "value"):
        if any(name.startswith(choice) for name in more):
            made = {name: value for name, value in made.items() if not name.startswith(choice)}
    return made | more


def _laboratory(fhir_id: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": fhir_id,
        "status": "final",
        "category": [{"coding": [{"system": "http://example.org/category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": "2093-3"}], "text": "Cholesterol"},
        "subject": {"reference": "Patient/alice"},
        "effectiveDateTime": "2026-05-01T09:30:00Z",
        "valueQuantity": {"value": 5, "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
    }


def encounter(fhir_id: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": fhir_id,
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/alice"},
    } | more


def provenance(fhir_id: str, target: str) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "id": fhir_id,
        "target": [{"reference": target}],
        "recorded": "2026-05-04T00:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/osei"}}],
    }


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method: str, url: str, resource: Any = None, full_url: str = "", **request: str) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made
