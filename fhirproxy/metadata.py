"""The CapabilityStatement, generated from the same allow-list that the gate parses by."""

from functools import cache
from typing import Any

from django.conf import settings

from fhirproxy.interactions import COMMON, NOT_OVER_HTTP, SERVED

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


@cache
def capability_statement() -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "software": {"name": "Chartkey"},
        "implementation": {"description": settings.CLINIC_NAME, "url": settings.FHIR_BASE_URL},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "security": _security(), "resource": _resources()}],
    }


def _security() -> dict[str, Any]:
    endpoints = {"authorize": "/o/authorize/", "token": "/o/token/", "revoke": "/o/revoke_token/"}
    coding = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "SMART-on-FHIR",
    }
    uris = [{"url": name, "valueUri": settings.BASE_URL + path} for name, path in endpoints.items()]
    return {
        "cors": True,
        "service": [{"coding": [coding]}],
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
    }


def _resources() -> list[dict[str, Any]]:
    resources = []
    for name, rule in sorted(SERVED.items()):
        if name in NOT_OVER_HTTP:
            continue
        entry: dict[str, Any] = {"type": name, "interaction": [{"code": "read"}]}
        if not rule.shared:
            params = sorted(COMMON - {"_count", "_sort"} | rule.search_params | {rule.patient_param})
            entry["interaction"].append({"code": "search-type"})
            entry["searchParam"] = [{"name": p, "type": _kind(p)} for p in params]
        resources.append(entry)
    return resources


def _kind(param: str) -> str:
    if param in {"patient", "participant", "encounter", "location", "result", "questionnaire"}:
        return "reference"
    dates = {"_lastUpdated", "started", "sent", "effective", "authored", "authoredon", "created"}
    if param in dates or "date" in param or param == "period":
        return "date"
    return "string" if param == "name" else "token"
